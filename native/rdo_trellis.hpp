// One row of a rate-distortion-optimised map: a shortest path (Viterbi 1967) over what each pixel may become, whose
// steps are literals and matches of the filtered bytes, as in lossy LZ77.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "deflate_matches.hpp"
#include "deflate_parse.hpp"
#include "near_entries.hpp"

namespace chromapress {

/// Replaces the filtered rows of a map by cheaper ones, from the top to the bottom.
///
/// All sequences of literals are compared. A match repeats bytes of decided pixels (or, at distance 1, the byte before)
/// and need not reproduce the rows that are replaced; it begins at the cheapest way to what is before it, and repeats
/// what is above or what the map before repeats there.
class Trellis {
 public:
  /// `rows`: the filtered rows, each after the byte of its filter, which stays; not 0 (rdo_plain.hpp).
  Trellis(std::size_t width, std::vector<std::uint8_t>& rows) : width_(width), rows_(rows) {}

  /// What literals and matches cost from now on.
  void set_costs(const Costs& costs);

  /// Replaces, in row y of the filtered rows and of `indices`, the whole map, as many columns from `left` on as there
  /// are `choices`, at most kColumns; those to the left of them must have been the call before. `matches` are of
  /// positions in the filtered rows from `first` on. Returns the cost: bits in units of kBit, plus the excess.
  std::int32_t decide(std::size_t y, std::size_t left, std::span<const Choices> choices, const Matches& matches,
                      std::size_t first, std::span<std::uint8_t> indices);

  /// Costs stay within 32 bits, and what is at work within the second-level cache.
  static constexpr std::size_t kColumns = 1024;

 private:
  // Between two pixels: for each choice of the pixel to the left, the cheapest way that leads there, and its last step.
  struct Column {
    std::array<std::int32_t, kChoices> cost;
    std::array<std::uint16_t, kChoices> length, distance;  // of the step; length 0: a literal
    std::array<std::uint8_t, kChoices> from;               // the choice before the step
    std::array<std::uint8_t, kChoices> byte;               // the last one
    std::array<std::uint8_t, kChoices> index;              // the choices
    std::size_t n;
    std::size_t best;
  };

  template <std::uint8_t filter>
  void search(const Matches& matches, std::size_t first);
  template <std::uint8_t filter>
  void step_literal(std::size_t x);
  template <std::uint8_t filter>
  std::size_t step_match(std::size_t x, std::size_t distance);
  template <std::uint8_t filter>
  void trace();

  std::size_t width_;
  std::vector<std::uint8_t>& rows_;
  std::array<std::int32_t, 512> literal_{};  // twice, so that a difference is an offset
  std::array<std::int32_t, kMaxMatch + 1> length_{};
  std::array<std::int32_t, kDistanceCodes> distance_{};
  std::int32_t spread_ = 0;  // of the literals

  std::uint8_t last_index_ = 0, last_byte_ = 0;  // of the call before

  // Of the columns at work.
  std::size_t start_ = 0;  // among the filtered bytes
  std::span<const Choices> choices_;
  std::span<std::uint8_t> indices_;
  std::vector<std::uint8_t> above_;  // one more to the left
  std::vector<Column> columns_;
};

}  // namespace chromapress
