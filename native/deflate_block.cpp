#include "deflate_block.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "huffman.hpp"
#include "log2.hpp"

namespace chromapress {
namespace {

// The code lengths of both codes are written by run lengths: 16 repeats the last one 3 to 6 times, 17 and 18 are 3 to
// 10 and 11 to 138 zeros.
struct Run {
  std::uint8_t code, extra, extra_bits;
};

std::vector<Run> runs_of(std::span<const std::uint8_t> lengths) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < lengths.size();) {
    const std::uint8_t length = lengths[i];
    std::size_t count = 1;
    while (i + count < lengths.size() && lengths[i + count] == length) ++count;
    i += count;
    if (length != 0) runs.push_back({length, 0, 0}), --count;
    while (count >= 3) {
      std::size_t part = std::min<std::size_t>(count, length != 0 ? 6 : 138);
      if (length != 0 && (count == 7 || count == 8)) part = count - 3 - (count == 7 ? 0 : 1);  // 4 and 3, or 4 and 4
      if (length != 0) {
        runs.push_back({16, static_cast<std::uint8_t>(part - 3), 2});
      } else if (part <= 10) {
        runs.push_back({17, static_cast<std::uint8_t>(part - 3), 3});
      } else {
        runs.push_back({18, static_cast<std::uint8_t>(part - 11), 7});
      }
      count -= part;
    }
    for (; count > 0; --count) runs.push_back({length, 0, 0});
  }
  return runs;
}

// The runs that need the fewest bits with these lengths of their codes.
std::vector<Run> cheapest_runs(std::span<const std::uint8_t> lengths, std::span<const std::uint8_t> run_lengths) {
  constexpr std::uint32_t kNoCode = 8;  // bits, about what a code that has none yet would need
  const auto price = [run_lengths](std::size_t code) -> std::uint32_t {
    return run_lengths[code] > 0 ? run_lengths[code] : kNoCode;
  };
  const std::size_t n = lengths.size();
  std::vector<std::uint32_t> bits(n + 1, std::numeric_limits<std::uint32_t>::max());
  std::vector<std::pair<Run, std::size_t>> last(n + 1);  // and how many lengths it stands for
  bits[0] = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto step = [&](std::size_t count, std::size_t code, std::size_t extra, std::uint32_t extra_bits) {
      const std::uint32_t all = bits[i] + price(code) + extra_bits;
      if (all >= bits[i + count]) return;
      bits[i + count] = all;
      last[i + count] = {
          {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(extra), static_cast<std::uint8_t>(extra_bits)},
          count};
    };
    step(1, lengths[i], 0, 0);
    std::size_t alike = 1;
    while (i + alike < n && alike < 138 && lengths[i + alike] == lengths[i]) ++alike;
    for (std::size_t count = 3; i > 0 && lengths[i] == lengths[i - 1] && count <= std::min<std::size_t>(alike, 6);
         ++count) {
      step(count, 16, count - 3, 2);
    }
    for (std::size_t count = 3; lengths[i] == 0 && count <= alike; ++count) {
      count <= 10 ? step(count, 17, count - 3, 3) : step(count, 18, count - 11, 7);
    }
  }
  std::vector<Run> runs;
  for (std::size_t i = n; i > 0; i -= last[i].second) runs.push_back(last[i].first);
  std::reverse(runs.begin(), runs.end());
  return runs;
}

constexpr unsigned kLongest = 15;  // bits of a code

struct Header {
  std::vector<std::uint8_t> literal_lengths, distance_lengths, run_lengths;
  std::vector<Run> runs;
  std::size_t literals, distances, run_codes, own_bits;
};

constexpr std::array<std::uint8_t, 19> kRunCodeOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                        11, 4,  12, 3, 13, 2, 14, 1, 15};

std::size_t used(std::span<const std::uint8_t> lengths, std::size_t least) {
  std::size_t n = lengths.size();
  while (n > least && lengths[n - 1] == 0) --n;
  return n;
}

// The lengths of both codes, one after the other.
std::vector<std::uint8_t> both_of(const Header& h) {
  std::vector<std::uint8_t> both(h.literal_lengths.begin(),
                                 h.literal_lengths.begin() + static_cast<std::ptrdiff_t>(h.literals));
  both.insert(both.end(), h.distance_lengths.begin(),
              h.distance_lengths.begin() + static_cast<std::ptrdiff_t>(h.distances));
  return both;
}

// The lengths of the codes of the runs, how many are written, and what is written before the block's codes.
void count_runs(Header& h) {
  std::array<std::uint32_t, 19> run_counts{};
  for (const Run run : h.runs) ++run_counts[run.code];
  h.run_lengths = code_lengths(run_counts, 7);
  h.run_codes = 19;
  while (h.run_codes > 4 && h.run_lengths[kRunCodeOrder[h.run_codes - 1]] == 0) --h.run_codes;
  h.own_bits = 3 + 14 + 3 * h.run_codes;
  for (const Run run : h.runs) h.own_bits += h.run_lengths[run.code] + std::size_t{run.extra_bits};
}

Header header_of(const CodeCounts& counts, unsigned limit) {
  Header h;
  h.literal_lengths = code_lengths(counts.literals, limit);
  h.distance_lengths = code_lengths(counts.distances, std::max(limit, 6u));
  h.literals = used(h.literal_lengths, 257);
  h.distances = used(h.distance_lengths, 1);
  h.runs = runs_of(both_of(h));
  count_runs(h);
  return h;
}

// The block's bits, without the extra bits of lengths and distances.
std::size_t bits_with(const Header& h, const CodeCounts& counts) {
  std::size_t bits = h.own_bits;
  for (std::size_t i = 0; i < kLiteralCodes; ++i) bits += std::size_t{counts.literals[i]} * h.literal_lengths[i];
  for (std::size_t i = 0; i < kDistanceCodes; ++i) bits += std::size_t{counts.distances[i]} * h.distance_lengths[i];
  return bits;
}

// The same codes in fewer bits: the runs' codes depend on the runs, and these on what the codes cost.
Header shortened(Header h) {
  const std::vector<std::uint8_t> both = both_of(h);
  for (Header next = h;;) {
    next.runs = cheapest_runs(both, next.run_lengths);
    count_runs(next);
    if (next.own_bits >= h.own_bits) return h;
    h = next;
  }
}

// Counts whose code lengths come in longer runs: neighbours that are alike to `nearly` sixteenths become equal.
CodeCounts smoothed(CodeCounts counts, std::uint64_t nearly) {
  const auto smooth = [nearly](std::span<std::uint32_t> c) {
    for (std::size_t i = 0; i < c.size();) {
      std::uint64_t sum = c[i];
      std::size_t j = i + 1;
      while (j < c.size() && c[i] > 0 && c[j] > 0 && 16 * std::uint64_t{c[j]} * (j - i) >= nearly * sum &&
             nearly * std::uint64_t{c[j]} * (j - i) <= 16 * sum) {
        sum += c[j++];
      }
      for (std::size_t m = i; j - i >= 3 && m < j; ++m)
        c[m] = static_cast<std::uint32_t>((sum + (j - i) / 2) / (j - i));
      i = j;
    }
  };
  smooth(counts.literals);
  smooth(counts.distances);
  return counts;
}

// The codes that, with what they cost in the header, need the fewest bits. Those of the least bits for the tokens alone
// are seldom it: shorter lists of lengths come from counts that are alike and from codes of limited lengths.
Header best_header(const CodeCounts& counts) {
  constexpr unsigned kShort = 10;  // bits of codes
  constexpr std::array<std::uint64_t, 2> kNearly = {8, 12};
  const auto kinds = [](std::span<const std::uint32_t> c) {
    return c.size() - static_cast<std::size_t>(std::count(c.begin(), c.end(), 0u));
  };
  const auto shortest =
      static_cast<unsigned>(std::bit_width(std::max(kinds(counts.literals), kinds(counts.distances))));
  Header best = header_of(counts, kLongest);
  std::size_t least = bits_with(best, counts);
  constexpr std::size_t kMuch = 24;
  if (kMuch * best.own_bits < least) return best;
  const auto consider = [&](const CodeCounts& like, unsigned limit) {
    Header header = header_of(like, limit);
    const std::size_t bits = bits_with(header, counts);
    if (bits < least) least = bits, best = std::move(header);
  };
  std::vector<CodeCounts> all = {counts};
  for (const std::uint64_t nearly : kNearly) all.push_back(smoothed(counts, nearly));
  for (const CodeCounts& like : all) {
    consider(like, kLongest);
    for (unsigned limit = shortest; limit <= kShort; ++limit) consider(like, limit);
  }
  return shortened(std::move(best));
}

std::uint64_t entropy(std::span<const std::uint32_t> counts) {
  std::uint64_t total = 0, sum = 0, kinds = 0;
  for (const std::uint32_t c : counts) {
    if (c == 0) continue;
    total += c;
    sum += std::uint64_t{c} * log2_bits(c);
    ++kinds;
  }
  // A code that is used costs about four bits in the header.
  return (total == 0 ? 0 : total * log2_bits(total) - sum) + kinds * 4 * kBit;
}

CodeCounts sum_of(const CodeCounts& a, const CodeCounts& b) {
  CodeCounts sum = a;
  for (std::size_t i = 0; i < kLiteralCodes; ++i) sum.literals[i] += b.literals[i];
  for (std::size_t i = 0; i < kDistanceCodes; ++i) sum.distances[i] += b.distances[i];
  return sum;
}

// Without the extra bits of lengths and distances, which do not depend on where blocks end.
std::size_t true_bits(CodeCounts counts) {
  counts.literals[kEndOfBlock] = 1;
  return bits_with(header_of(counts, kLongest), counts);
}

// The ends of blocks without those between neighbours that are shorter as one. Entropy does not know whole bits, nor
// what codes cost in the header.
std::vector<std::size_t> joined(std::span<const CodeCounts> parts, std::vector<std::size_t> ends) {
  std::vector<CodeCounts> blocks(ends.size());
  for (std::size_t part = 0, block = 0; part < parts.size(); ++part) {
    if (part == ends[block]) ++block;
    blocks[block] = sum_of(blocks[block], parts[part]);
  }
  std::vector<std::size_t> bits, together;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    bits.push_back(true_bits(blocks[i]));
    together.push_back(i + 1 < blocks.size() ? true_bits(sum_of(blocks[i], blocks[i + 1])) : 0);
  }
  while (blocks.size() > 1) {
    std::size_t best = 0;
    std::ptrdiff_t most = 0;
    for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
      const auto saved = static_cast<std::ptrdiff_t>(bits[i] + bits[i + 1]) - static_cast<std::ptrdiff_t>(together[i]);
      if (saved > most) most = saved, best = i;
    }
    if (most == 0) break;
    const auto at = static_cast<std::ptrdiff_t>(best);
    blocks[best] = sum_of(blocks[best], blocks[best + 1]);
    bits[best] = together[best];
    blocks.erase(blocks.begin() + at + 1);
    bits.erase(bits.begin() + at + 1);
    ends.erase(ends.begin() + at);
    together.erase(together.begin() + at);
    if (best > 0) together[best - 1] = true_bits(sum_of(blocks[best - 1], blocks[best]));
    if (best + 1 < blocks.size()) together[best] = true_bits(sum_of(blocks[best], blocks[best + 1]));
  }
  return ends;
}

}  // namespace

void BitWriter::put(std::uint32_t bits, unsigned count) {
  pending_ |= std::uint64_t{bits} << count_;
  count_ += count;
  // Several bytes at once.
  if (count_ >= 32) flush();
}

void BitWriter::flush() {
  for (; count_ >= 8; count_ -= 8, pending_ >>= 8) out_.push_back(static_cast<std::uint8_t>(pending_));
}

void BitWriter::finish() {
  put(0, (8 - count_ % 8) % 8);
  flush();
}

std::vector<std::size_t> block_ends(std::span<const Token> tokens, std::size_t places) {
  // A block of fewer tokens does not pay for its codes. Of the places the best ones, by dynamic programming.
  constexpr std::size_t kFewest = 128;
  const std::size_t step = std::max(kFewest, tokens.size() / places + 1);
  std::vector<CodeCounts> parts;
  for (std::size_t begin = 0; begin < tokens.size(); begin += step) {
    CodeCounts& part = parts.emplace_back();
    for (const Token& token : tokens.subspan(begin, std::min(step, tokens.size() - begin))) part.add(token);
  }
  std::vector<std::uint64_t> least(parts.size() + 1, std::numeric_limits<std::uint64_t>::max());
  std::vector<std::size_t> previous(parts.size() + 1, 0);
  least[0] = 0;
  for (std::size_t begin = 0; begin < parts.size(); ++begin) {
    CodeCounts counts;
    for (std::size_t end = begin + 1; end <= parts.size(); ++end) {
      for (std::size_t i = 0; i < kLiteralCodes; ++i) counts.literals[i] += parts[end - 1].literals[i];
      for (std::size_t i = 0; i < kDistanceCodes; ++i) counts.distances[i] += parts[end - 1].distances[i];
      const std::uint64_t cost =
          least[begin] + entropy(counts.literals) + entropy(counts.distances) + std::uint64_t{80} * kBit;
      if (cost < least[end]) least[end] = cost, previous[end] = begin;
    }
  }
  std::vector<std::size_t> ends;
  for (std::size_t end = parts.size(); end > 0; end = previous[end]) ends.push_back(end);
  std::reverse(ends.begin(), ends.end());
  ends = joined(parts, std::move(ends));
  for (std::size_t& end : ends) end = std::min(end * step, tokens.size());
  return ends;
}

std::size_t bits_of(std::span<const Token> tokens, std::span<const std::size_t> ends, bool short_headers) {
  std::size_t begin = 0, bits = 0;
  for (const std::size_t end : ends) {
    CodeCounts counts;
    for (; begin < end; ++begin) {
      const Token token = tokens[begin];
      counts.add(token);
      if (token.length > 0)
        bits += code_of_length(token.length).extra_bits + code_of_distance(token.distance).extra_bits;
    }
    counts.literals[kEndOfBlock] = 1;
    bits += bits_with(short_headers ? best_header(counts) : header_of(counts, kLongest), counts);
  }
  return bits;
}

void write_block(BitWriter& out, std::span<const Token> tokens, bool short_header, bool last) {
  CodeCounts counts;
  for (const Token& token : tokens) counts.add(token);
  counts.literals[kEndOfBlock] = 1;
  const Header header = short_header ? best_header(counts) : header_of(counts, kLongest);
  out.put(last ? 1 : 0, 1);
  out.put(2, 2);
  out.put(static_cast<std::uint32_t>(header.literals - 257), 5);
  out.put(static_cast<std::uint32_t>(header.distances - 1), 5);
  out.put(static_cast<std::uint32_t>(header.run_codes - 4), 4);
  for (std::size_t i = 0; i < header.run_codes; ++i) out.put(header.run_lengths[kRunCodeOrder[i]], 3);
  const auto run_codes = codes(header.run_lengths);
  for (const Run run : header.runs) {
    out.put(run_codes[run.code], header.run_lengths[run.code]);
    out.put(run.extra, run.extra_bits);
  }
  const auto literals = codes(header.literal_lengths), distances = codes(header.distance_lengths);
  for (const Token& token : tokens) {
    if (token.length == 0) {
      out.put(literals[token.distance], header.literal_lengths[token.distance]);
      continue;
    }
    const Coded length = code_of_length(token.length), distance = code_of_distance(token.distance);
    out.put(literals[length.code], header.literal_lengths[length.code]);
    out.put(length.extra, length.extra_bits);
    out.put(distances[distance.code], header.distance_lengths[distance.code]);
    out.put(distance.extra, distance.extra_bits);
  }
  out.put(literals[kEndOfBlock], header.literal_lengths[kEndOfBlock]);
}

}  // namespace chromapress
