#include "rdo_plain.hpp"

#include <algorithm>
#include <limits>

#include "log2.hpp"

namespace chromapress {
namespace {

constexpr std::uint16_t kNone = 0xffff;
constexpr std::uint32_t kUnreached = 1u << 31;
// No other match is looked for within one of this length that is nearly free of error; near repeats not where there is
// one of the other length.
constexpr std::size_t kLongMatch = 32, kEnough = 16;
constexpr std::uint32_t kFreeEach = kBit / 8;
// How many of the matches in the map before are tried.
constexpr std::size_t kFound = 2;

// By how much a match may be worse than the best way to its end and still be followed further: the longer it is, the
// less there is left that could make up for it.
std::uint32_t patience(std::uint32_t length) { return 24 * kBit - std::min(length, 36u) * (kBit / 2); }

std::uint64_t way(std::uint32_t cost, std::size_t length, std::size_t distance) {
  return std::uint64_t{cost} << 32 | length << 16 | distance;
}
std::uint32_t cost_of(std::uint64_t way) { return static_cast<std::uint32_t>(way >> 32); }
std::size_t length_of(std::uint64_t way) { return way >> 16 & 0xffff; }
std::size_t distance_of(std::uint64_t way) { return way & 0xffff; }

}  // namespace

void PlainRows::prepare(std::span<const Choices> choices) {
  n_ = choices.size();
  literals_.resize(n_);
  excesses_.resize(n_);
  for (std::size_t x = 0; x < n_; ++x) {
    excesses_[x].fill(kNone);
    literals_[x].cost = std::numeric_limits<std::uint32_t>::max();
    for (std::size_t i = choices[x].n; i-- > 0;) {
      const std::uint8_t byte = choices[x].index[i];
      excesses_[x][byte] = choices[x].excess[i];
      const std::uint32_t cost = choices[x].excess[i] + costs_.literal[byte];
      if (cost <= literals_[x].cost) literals_[x] = {cost, byte};
    }
  }
}

// Returns over how many bytes next to no error is added.
std::size_t PlainRows::step_match(std::size_t x, std::size_t distance) {
  const bool run = distance == 1;
  if (!run && (distance <= x || distance > kWindow || distance > start_ + x)) return 0;
  const auto here = static_cast<std::uint32_t>(start_ + x);
  const std::uint32_t so_far = cost_of(ways_[x]);
  Tried& tried = tried_[distance];
  if (!run && tried.end > here) {
    for (; tried.at < here; ++tried.at) tried.cost += excesses_[tried.at - start_][rows_[tried.at - distance]];
    // What begins within a match is no better (but that its length may cost less) unless the way there is cheaper.
    if (tried.cost <= so_far) return tried.free_end > here ? tried.free_end - here : 0;
  }
  const std::size_t most = std::min({kMaxMatch, n_ - x, run ? kMaxMatch : distance - x}), each = run ? 0 : 1;
  const std::uint8_t* from = run ? &bytes_[x] : rows_.data() + start_ + x - distance;
  const Excesses* excesses = &excesses_[x];
  const Literal* literals = &literals_[x];
  Way* ways = &ways_[x];
  const std::uint32_t base = so_far + costs_.distance[code_of_distance(distance).code];
  std::uint32_t excess = 0, spared = 0, free = 0, length = 0;
  while (length < most) {
    const std::uint16_t more = excesses[length][from[length * each]];
    if (more == kNone) break;
    excess += more;
    // Else literals and then a match that begins here would be better.
    spared += literals[length].cost;
    if (excess > spared) break;
    ++length;
    if (excess < length * kFreeEach) free = length;
    if (length < kMinMatch) continue;
    const std::uint32_t cost = base + excess + costs_.length[length];
    if (cost > cost_of(ways[length]) + patience(length)) break;
    ways[length] = std::min(ways[length], way(cost, length, distance));
  }
  tried = {here + length, so_far, here, here + free};
  return free;
}

void PlainRows::search(const Matches& matches, std::size_t first) {
  const std::size_t stride = width_ + 1;
  // A run, the pixels above and beside these, and what the map before repeats here.
  const std::array<std::size_t, 4> always = {1, stride, stride - 1, stride + 1};
  ways_.assign(n_ + 1, way(kUnreached, 0, 0));
  ways_[0] = 0;
  bytes_.resize(n_ + 1);
  bytes_[0] = rows_[start_ - 1];
  std::size_t quiet = 0;
  for (std::size_t x = 0;; ++x) {
    if (x > 0) {
      const std::size_t length = length_of(ways_[x]), distance = distance_of(ways_[x]);
      bytes_[x] = length == 0     ? literals_[x - 1].byte
                  : distance == 1 ? bytes_[x - length]
                                  : rows_[start_ + x - 1 - distance];
    }
    if (x == n_) return;
    ways_[x + 1] = std::min(ways_[x + 1], way(cost_of(ways_[x]) + literals_[x].cost, 0, 0));
    if (x < quiet) continue;
    std::size_t most = 0;
    const auto step = [&](std::size_t distance) {
      const std::size_t free = step_match(x, distance);
      most = std::max(most, free);
      if (free >= kLongMatch) quiet = std::max(quiet, x + free);
    };
    for (const std::size_t distance : always) step(distance);
    const std::span<const Match> found = matches.at(start_ + x - first);
    for (const Match m : found.last(std::min(found.size(), kFound))) {
      if (std::find(always.begin(), always.end(), m.distance) == always.end()) step(m.distance);
    }
    if (most >= kEnough) continue;
    repeats_.find(start_ + x, distances_);
    for (const std::size_t distance : distances_) step(distance);
  }
}

std::int32_t PlainRows::decide(std::size_t y, std::size_t left, std::span<const Choices> choices,
                               const Matches& matches, std::size_t first, std::span<std::uint8_t> indices) {
  start_ = y * (width_ + 1) + 1 + left;
  repeats_.add(start_);
  prepare(choices);
  search(matches, first);
  for (std::size_t end = n_; end > 0;) {
    const std::size_t length = length_of(ways_[end]), distance = distance_of(ways_[end]);
    const std::size_t begin = end - std::max<std::size_t>(length, 1);
    for (std::size_t x = begin; x < end; ++x) {
      const std::uint8_t byte = length == 0 || distance == 1 ? bytes_[end] : rows_[start_ + x - distance];
      rows_[start_ + x] = byte;
      indices[y * width_ + left + x] = byte;
    }
    end = begin;
  }
  return static_cast<std::int32_t>(cost_of(ways_[n_]));
}

}  // namespace chromapress
