#include "deflate_parse.hpp"

#include <algorithm>
#include <limits>

#include "dispatch.hpp"
#include "log2.hpp"

namespace chromapress {
namespace {

template <std::size_t N>
std::array<std::uint32_t, N> entropy_costs(const std::array<std::uint32_t, N>& counts, bool in_header) {
  std::uint64_t total = 0;
  for (const std::uint32_t c : counts) total += c;
  std::array<std::uint32_t, N> costs{};
  for (std::size_t i = 0; i < N; ++i) {
    // What does not occur would cost a code of its own: as if it occurred half a time.
    const std::uint32_t all = log2_bits(2 * total + 1),
                        own = counts[i] == 0 ? 0 : log2_bits(2 * std::uint64_t{counts[i]});
    // Roughly: it is there that rare codes are dear. A block's costs, at most 2^20 times these, stay below 2^31.
    const std::uint32_t header = counts[i] == 0 ? 2 * kBit : kBit / counts[i];
    costs[i] = in_header ? std::clamp(all - own + header, kBit, 20 * kBit) : std::clamp(all - own, kBit, 15 * kBit);
  }
  return costs;
}

constexpr std::size_t kLong = 24;  // lengths for which vectors pay

// What a way costs and, below, the token at its end: the smaller number is the better way, which the processor finds
// without a branch.
using Way = std::int64_t;

Way way(std::uint32_t cost, std::size_t length, std::size_t distance) {
  return static_cast<Way>(std::uint64_t{cost} << 32 | length << 16 | distance);
}

// The ways by one match of `first` to `last` bytes; `ways` and `costs` begin at length 0.
CHROMAPRESS_DISPATCH void lengthen(Way* ways, const std::uint32_t* costs, std::uint32_t so_far, std::size_t first,
                                   std::size_t last, std::size_t distance) {
  for (std::size_t length = first; length <= last; ++length) {
    ways[length] = std::min(ways[length], way(so_far + costs[length], length, distance));
  }
}

}  // namespace

Costs costs_of(const CodeCounts& counts, bool in_header) {
  const auto literals = entropy_costs(counts.literals, in_header);
  Costs costs;
  std::copy(literals.begin(), literals.begin() + 256, costs.literal.begin());
  for (std::size_t length = kMinMatch; length <= kMaxMatch; ++length) {
    const Coded coded = code_of_length(length);
    costs.length[length] = literals[coded.code] + coded.extra_bits * kBit;
  }
  costs.distance = entropy_costs(counts.distances, in_header);
  for (std::size_t code = 4; code < kDistanceCodes; ++code) {
    costs.distance[code] += static_cast<std::uint32_t>(code / 2 - 1) * kBit;
  }
  return costs;
}

Costs first_costs(std::span<const std::uint8_t> data) {
  CodeCounts counts;
  for (const std::uint8_t byte : data) ++counts.literals[byte];
  const auto share = static_cast<std::uint32_t>(data.size() / 128 + 1);
  for (std::size_t code = 257; code < kLiteralCodes; ++code) {
    counts.literals[code] = code < 265 ? 8 * share / static_cast<std::uint32_t>(code - 256) + 1 : share / 8 + 1;
  }
  counts.distances.fill(1);
  return costs_of(counts, true);
}

void parse(std::span<const std::uint8_t> data, std::size_t begin, std::size_t end, const Matches& matches,
           std::size_t first, const Costs& costs, std::vector<Token>& tokens) {
  const std::size_t n = end - begin;
  std::vector<Way> ways(n + 1, std::numeric_limits<Way>::max());
  ways[0] = 0;
  std::size_t repeated = 0;  // the distance of the last position's match, if that was as long as can be
  for (std::size_t i = 0; i < n; ++i) {
    const auto here = static_cast<std::uint32_t>(ways[i] >> 32);
    const std::uint8_t byte = data[begin + i];
    ways[i + 1] = std::min(ways[i + 1], way(here + costs.literal[byte], 0, byte));
    std::size_t length = kMinMatch;
    for (const Match match : matches.at(begin + i - first)) {
      const std::uint32_t so_far = here + costs.distance[code_of_distance(match.distance).code];
      const std::size_t most = std::min<std::size_t>(match.length, n - i);
      // Within a long repetition only whole matches need to follow each other.
      if (most == kMaxMatch && match.distance == repeated) length = kMaxMatch;
      if (most >= length + kLong) {
        lengthen(&ways[i], costs.length.data(), so_far, length, most, match.distance);
        length = most + 1;
      }
      for (; length <= most; ++length) {
        ways[i + length] = std::min(ways[i + length], way(so_far + costs.length[length], length, match.distance));
      }
      repeated = match.length == kMaxMatch ? match.distance : 0;
    }
  }
  const auto start = static_cast<std::ptrdiff_t>(tokens.size());
  for (std::size_t i = n; i > 0; i -= tokens.back().bytes()) {
    tokens.push_back({static_cast<std::uint16_t>(ways[i] >> 16), static_cast<std::uint16_t>(ways[i])});
  }
  std::reverse(tokens.begin() + start, tokens.end());
}

}  // namespace chromapress
