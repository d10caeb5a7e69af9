#include "huffman.hpp"

#include <algorithm>
#include <array>

namespace chromapress {

std::vector<std::uint8_t> code_lengths(std::span<const std::uint32_t> counts, unsigned limit) {
  std::vector<std::uint8_t> lengths(counts.size(), 0);
  std::vector<std::size_t> symbols;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    if (counts[s] > 0) symbols.push_back(s);
  }
  if (symbols.size() < 2) {
    for (const std::size_t s : symbols) lengths[s] = 1;
    return lengths;
  }
  std::stable_sort(symbols.begin(), symbols.end(),
                   [counts](std::size_t a, std::size_t b) { return counts[a] < counts[b]; });
  // A list for each level, of symbols and of pairs of the list before, in the order of their weights. Whoever is among
  // the first 2n - 2 of the last list has, for each symbol in it, one bit.
  struct Item {
    std::uint64_t weight;
    bool is_pair;
  };
  const std::size_t n = symbols.size();
  std::vector<std::vector<Item>> levels(limit);
  for (unsigned level = 0; level < limit; ++level) {
    std::vector<Item>& items = levels[level];
    std::size_t symbol = 0, pair = 0;
    const std::size_t pairs = level == 0 ? 0 : levels[level - 1].size() / 2;
    while (symbol < n || pair < pairs) {
      const std::uint64_t paired =
          pair < pairs ? levels[level - 1][2 * pair].weight + levels[level - 1][2 * pair + 1].weight : 0;
      const bool take_pair = pair < pairs && (symbol == n || paired < counts[symbols[symbol]]);
      items.push_back({take_pair ? paired : counts[symbols[symbol]], take_pair});
      ++(take_pair ? pair : symbol);
    }
  }
  std::size_t taken = 2 * n - 2;
  for (unsigned level = limit; level-- > 0 && taken > 0;) {
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < taken; ++i) pairs += levels[level][i].is_pair ? 1 : 0;
    for (std::size_t i = 0; i < taken - pairs; ++i) ++lengths[symbols[i]];
    taken = 2 * pairs;
  }
  return lengths;
}

std::vector<std::uint16_t> codes(std::span<const std::uint8_t> lengths) {
  std::array<std::uint32_t, 17> next{};
  for (const std::uint8_t length : lengths) ++next[length];
  next[0] = 0;
  std::uint32_t code = 0;
  for (std::size_t length = 1; length < next.size(); ++length) {
    const std::uint32_t count = next[length];
    next[length] = code;
    code = (code + count) << 1;
  }
  std::vector<std::uint16_t> result(lengths.size(), 0);
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    if (lengths[s] == 0) continue;
    std::uint32_t value = next[lengths[s]]++, reversed = 0;
    for (unsigned bit = 0; bit < lengths[s]; ++bit, value >>= 1) reversed = reversed * 2 + (value & 1);
    result[s] = static_cast<std::uint16_t>(reversed);
  }
  return result;
}

}  // namespace chromapress
