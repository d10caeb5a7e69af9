// The cheapest way to write bytes as literals and matches, given what each costs: a shortest path (Katajainen and
// Raita 1989), as zopfli and libdeflate search it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "deflate_matches.hpp"

namespace chromapress {

inline constexpr std::size_t kEndOfBlock = 256, kLiteralCodes = 286, kDistanceCodes = 30;

/// A literal (length 0, distance the byte) or a match.
struct Token {
  std::uint16_t length, distance;
  [[nodiscard]] std::size_t bytes() const { return length == 0 ? 1 : length; }
};

/// The code of a length or a distance, and how many bits follow it.
struct Coded {
  std::uint16_t code, extra_bits, extra;
};
constexpr Coded code_of_length(std::size_t length) {
  if (length == kMaxMatch) return {285, 0, 0};
  const auto past = static_cast<std::uint32_t>(length - kMinMatch);
  if (past < 8) return {static_cast<std::uint16_t>(257 + past), 0, 0};
  // Four codes for each power of two.
  const auto extra_bits = static_cast<std::uint32_t>(std::bit_width(past)) - 3;
  return {static_cast<std::uint16_t>(257 + 4 * extra_bits + (past >> extra_bits)),
          static_cast<std::uint16_t>(extra_bits), static_cast<std::uint16_t>(past & ((1u << extra_bits) - 1))};
}

constexpr Coded code_of_distance(std::size_t distance) {
  const auto past = static_cast<std::uint32_t>(distance - 1);
  if (past < 4) return {static_cast<std::uint16_t>(past), 0, 0};
  // Two codes for each power of two.
  const auto extra_bits = static_cast<std::uint32_t>(std::bit_width(past)) - 2;
  return {static_cast<std::uint16_t>(2 * extra_bits + (past >> extra_bits)), static_cast<std::uint16_t>(extra_bits),
          static_cast<std::uint16_t>(past & ((1u << extra_bits) - 1))};
}

/// How often each code occurs.
struct CodeCounts {
  std::array<std::uint32_t, kLiteralCodes> literals{};
  std::array<std::uint32_t, kDistanceCodes> distances{};
  void add(const Token& token) {
    if (token.length == 0) {
      ++literals[token.distance];
    } else {
      ++literals[code_of_length(token.length).code];
      ++distances[code_of_distance(token.distance).code];
    }
  }
};

/// What literals, lengths and distance codes cost, in units of kBit, their extra bits included.
struct Costs {
  std::array<std::uint32_t, 256> literal{};
  std::array<std::uint32_t, kMaxMatch + 1> length{};
  std::array<std::uint32_t, kDistanceCodes> distance{};
};

/// Costs by the entropy of the counts; of a block that has a header of its own, with what its codes cost there.
Costs costs_of(const CodeCounts& counts, bool in_header);
/// Costs to begin with: literals by their frequency in `data`, matches as images mostly have them.
Costs first_costs(std::span<const std::uint8_t> data);

/// The cheapest tokens of data[begin, end). `matches` are those of positions from `first` on.
void parse(std::span<const std::uint8_t> data, std::size_t begin, std::size_t end, const Matches& matches,
           std::size_t first, const Costs& costs, std::vector<Token>& tokens);

}  // namespace chromapress
