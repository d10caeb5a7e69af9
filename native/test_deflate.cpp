#include <algorithm>
#include <queue>
#include <random>
#include <stdexcept>

#include "decode_png.hpp"
#include "deflate.hpp"
#include "deflate_block.hpp"
#include "huffman.hpp"
#include "log2.hpp"

using namespace chromapress;
using Bytes = std::vector<std::uint8_t>;

namespace {

// Noise, runs, repeated phrases and mixtures of them.
Bytes some_bytes(std::mt19937& random, std::size_t size) {
  Bytes data(size);
  const unsigned levels = 1 + random() % 256, runs = 1 + random() % 300, repeat = random() % 3;
  for (std::size_t i = 0; i < size; ++i) {
    const bool fresh = i == 0 || random() % runs == 0;
    data[i] = fresh ? static_cast<std::uint8_t>(random() % levels) : data[i - 1];
    if (repeat > 0 && i > 500 && (i / 64) % (repeat + 1) != 0) data[i] = data[i - 100 - (i / 256) % 400];
  }
  return data;
}

void streams_are_read_back(std::mt19937& random) {
  for (int round = 0; round < 300; ++round) {
    const Bytes data = some_bytes(random, round < 20 ? static_cast<std::size_t>(round) : random() % 20'000);
    const Trials trials{1 + random() % 40, 1 + random() % 4, 4 + random() % 255, 1 + random() % 130};
    CHECK(inflated(deflate_small(data, trials), data.size()) == data);
  }
  // More than one piece, the last of a single byte.
  const Bytes large = some_bytes(random, (std::size_t{1} << 20) + 1);
  CHECK(inflated(deflate_small(large, {4, 2, 192}), large.size()) == large);
}

// The twin: compares with every earlier position.
void matches_are_the_longest(std::mt19937& random) {
  for (int round = 0; round < 60; ++round) {
    Bytes data(1 + random() % 1500);
    const unsigned levels = 2 + random() % 5;
    for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random() % levels);
    MatchFinder finder(data, data.size(), kMaxMatch);
    Matches matches;
    finder.find(data.size(), matches);
    for (std::size_t i = 0; i + 4 <= data.size(); ++i) {
      const std::size_t most = std::min(kMaxMatch, data.size() - i);
      std::vector<std::size_t> nearest(kMaxMatch + 1, 0);
      std::size_t longest = 0;
      for (std::size_t j = i; j-- > 0;) {
        std::size_t n = 0;
        while (n < most && data[j + n] == data[i + n]) ++n;
        for (; longest < n; ++longest) nearest[longest + 1] = i - j;
      }
      std::size_t found = 0;
      for (const Match match : matches.at(i)) {
        CHECK(match.length > found && match.length <= most);
        found = match.length;
        if (match.length > 3) CHECK(match.distance == nearest[match.length]);
        CHECK(std::equal(&data[i], &data[i] + match.length, &data[i - match.distance]));
      }
      CHECK(longest < 4 || found == longest);
    }
  }
}

// The twin: finds all at once.
void parts_have_the_matches_of_the_whole(std::mt19937& random) {
  for (int round = 0; round < 60; ++round) {
    const Bytes data = some_bytes(random, 1 + random() % 5000);
    const std::size_t depth = 1 + random() % 3, long_match = 4 + random() % 255;
    MatchFinder at_once(data, depth, long_match), by_parts(data, depth, long_match);
    Matches all, some;
    at_once.find(data.size(), all);
    some.reset(0);
    for (std::size_t from = 0, to = 0; to < data.size();) {
      const std::size_t dropped = random() % (to - from + 1), found = std::min(random() % 900, data.size() - to);
      some.drop(dropped);
      from += dropped;
      by_parts.append(found, some);
      to += found;
      for (std::size_t i = from; i < to; ++i) {
        const auto same = [](Match a, Match b) { return a.length == b.length && a.distance == b.distance; };
        CHECK(std::ranges::equal(all.at(i), some.at(i - from), same));
        for (const Match match : all.at(i)) {
          CHECK(std::equal(&data[i], &data[i] + match.length, &data[i - match.distance]));
        }
      }
    }
  }
}

std::uint32_t cost_of(const std::vector<Token>& tokens, const Costs& costs) {
  std::uint32_t sum = 0;
  for (const Token& t : tokens) {
    sum += t.length == 0 ? costs.literal[t.distance]
                         : costs.length[t.length] + costs.distance[code_of_distance(t.distance).code];
  }
  return sum;
}

// The twin: from the back, over every match that there is.
void parses_are_cheapest(std::mt19937& random) {
  for (int round = 0; round < 100; ++round) {
    Bytes data(1 + random() % 300);
    const unsigned levels = 2 + random() % 4;
    for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random() % levels);
    Costs costs;
    for (std::uint32_t& c : costs.literal) c = 1 + random() % 500;
    for (std::uint32_t& c : costs.length) c = 1 + random() % 900;
    for (std::size_t code = 0; code < kDistanceCodes; ++code) {
      costs.distance[code] = static_cast<std::uint32_t>(60 * code) + random() % 30;  // the nearest is the cheapest
    }
    Matches matches;
    matches.reset(data.size());
    std::vector<std::uint32_t> least(data.size() + 1, 0);
    std::vector<std::vector<Match>> all(data.size());
    for (std::size_t i = data.size(); i-- > 0;) {
      least[i] = costs.literal[data[i]] + least[i + 1];
      for (std::size_t j = i; j-- > 0;) {
        for (std::size_t n = 1; i + n <= data.size() && n <= kMaxMatch && data[j + n - 1] == data[i + n - 1]; ++n) {
          if (n < kMinMatch) continue;
          const std::uint32_t cost = costs.length[n] + costs.distance[code_of_distance(i - j).code] + least[i + n];
          least[i] = std::min(least[i], cost);
          if (all[i].empty() || all[i].back().length < n) {
            all[i].push_back({static_cast<std::uint16_t>(n), static_cast<std::uint16_t>(i - j)});
          }
        }
      }
    }
    for (const std::vector<Match>& m : all) matches.append(m.data(), m.size());
    std::vector<Token> tokens;
    parse(data, 0, data.size(), matches, 0, costs, tokens);
    CHECK(cost_of(tokens, costs) <= least[0]);
    Bytes read;
    for (const Token& t : tokens) {
      if (t.length == 0) read.push_back(static_cast<std::uint8_t>(t.distance));
      for (std::size_t n = 0; n < t.length; ++n) read.push_back(read[read.size() - t.distance]);
    }
    CHECK(read == data);
  }
}

// The twin: Huffman's own construction, whose sum of merged weights is the least number of bits.
void codes_are_optimal(std::mt19937& random) {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint32_t> counts(1 + random() % 286);
    for (std::uint32_t& c : counts) c = random() % 3 == 0 ? 0 : 1 + random() % (1u << (random() % 12));
    std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> heap;
    for (const std::uint32_t c : counts) {
      if (c > 0) heap.push(c);
    }
    if (heap.size() < 2) continue;
    std::uint64_t bits = 0;
    while (heap.size() > 1) {
      const std::uint64_t a = heap.top();
      heap.pop();
      const std::uint64_t sum = a + heap.top();
      heap.pop();
      heap.push(sum);
      bits += sum;
    }
    for (const unsigned limit : {9u, 15u, 32u}) {
      const Bytes lengths = code_lengths(counts, limit);
      std::uint64_t own = 0, kraft = 0;
      for (std::size_t s = 0; s < counts.size(); ++s) {
        CHECK((lengths[s] > 0) == (counts[s] > 0) && lengths[s] <= limit);
        own += std::uint64_t{counts[s]} * lengths[s];
        if (lengths[s] > 0) kraft += std::uint64_t{1} << (limit - lengths[s]);
      }
      CHECK(kraft == std::uint64_t{1} << limit);
      CHECK(limit == 32 ? own == bits : own >= bits);
    }
  }
}

void blocks_are_as_long_as_is_said(std::mt19937& random) {
  for (int round = 0; round < 200; ++round) {
    std::vector<Token> tokens(1 + random() % 600);
    const unsigned literals = 1 + random() % 256, lengths = 1 + random() % 256, distances = 1 + random() % kWindow;
    for (Token& t : tokens) {
      const bool is_match = round % 2 == 0 && random() % 3 == 0;
      t.length = static_cast<std::uint16_t>(is_match ? kMinMatch + random() % lengths : 0);
      t.distance = static_cast<std::uint16_t>(is_match ? 1 + random() % distances : random() % literals);
    }
    const std::size_t ends[] = {tokens.size()};
    std::size_t plain = 0;
    for (const bool short_header : {false, true}) {
      Bytes out;
      BitWriter writer(out);
      write_block(writer, tokens, short_header, true);
      writer.finish();
      const std::size_t bits = bits_of(tokens, ends, short_header);
      CHECK(out.size() == (bits + 7) / 8);
      if (short_header) CHECK(bits <= plain);
      plain = bits;
    }
  }
}

void lengths_and_distances_have_their_codes() {
  // The bases of RFC 1951, section 3.2.5.
  const std::uint16_t lengths[] = {3,  4,  5,  6,  7,  8,  9,  10, 11, 13,  15,  17,  19,  23,
                                   27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227};
  const std::uint16_t distances[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                     33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                     1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
  for (std::size_t length = kMinMatch; length < kMaxMatch; ++length) {
    const Coded coded = code_of_length(length);
    CHECK(lengths[coded.code - 257] + coded.extra == length && coded.extra < 1u << coded.extra_bits);
  }
  CHECK(code_of_length(kMaxMatch).code == 285 && code_of_length(kMaxMatch).extra_bits == 0);
  for (std::size_t distance = 1; distance <= kWindow; ++distance) {
    const Coded coded = code_of_distance(distance);
    CHECK(distances[coded.code] + coded.extra == distance && coded.extra < 1u << coded.extra_bits);
  }
}

}  // namespace

int main() {
  std::mt19937 random(5);
  lengths_and_distances_have_their_codes();
  codes_are_optimal(random);
  matches_are_the_longest(random);
  parts_have_the_matches_of_the_whole(random);
  parses_are_cheapest(random);
  streams_are_read_back(random);
  blocks_are_as_long_as_is_said(random);
  static_assert(log2_bits(1) == 0 && log2_bits(2) == kBit && log2_bits(std::uint64_t{1} << 40) == 40 * kBit);
}
