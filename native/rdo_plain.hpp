// Rate-distortion-optimised rows that are not filtered. As in rdo_trellis.hpp each is a shortest path whose steps are
// literals and matches, but as no byte depends on the pixel to the left, one way leads to each place; and as such rows
// live on matches, many more are tried: also those of what is repeated nearly.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "deflate_matches.hpp"
#include "deflate_parse.hpp"
#include "near_entries.hpp"
#include "near_repeats.hpp"

namespace chromapress {

/// Replaces the rows of a map by cheaper ones, from the top to the bottom and in parts, so that a row may repeat what
/// is to the left.
///
/// Sequences of literals and matches are compared, but for matches that are most likely of no use. A match repeats
/// bytes of decided parts (or, at distance 1, the byte before) and need not reproduce what is replaced; it repeats what
/// is above, what the map before repeats there, or what is repeated nearly.
class PlainRows {
 public:
  /// `rows`: each after the byte of its filter, 0. `looks`: for near repeats.
  PlainRows(std::size_t width, std::vector<std::uint8_t>& rows, std::size_t looks)
      : width_(width), rows_(rows), repeats_(rows, looks), tried_(kWindow + 1) {}

  /// What literals and matches cost from now on.
  void set_costs(const Costs& costs) { costs_ = costs; }

  /// As Trellis::decide.
  std::int32_t decide(std::size_t y, std::size_t left, std::span<const Choices> choices, const Matches& matches,
                      std::size_t first, std::span<std::uint8_t> indices);

  static constexpr std::size_t kColumns = 256;

 private:
  // What the way to a place costs and, below, the length (0: a literal) and the distance of its last step.
  using Way = std::uint64_t;
  struct Literal {
    std::uint32_t cost;  // the excess included
    std::uint8_t byte;
  };
  // The excess of each byte; kNone if it is no choice. A cache line more than a power of two, so that the columns'
  // beginnings spread over the cache.
  using Excesses = std::array<std::uint16_t, 256 + 32>;
  // The last match that was tried of a distance.
  struct Tried {
    std::uint32_t end = 0;   // among the rows' bytes
    std::uint32_t cost = 0;  // of its bytes up to `at`, the excess alone, and of the way to it
    std::uint32_t at = 0;
    std::uint32_t free_end = 0;  // up to where next to no error is added
  };

  void prepare(std::span<const Choices> choices);
  void search(const Matches& matches, std::size_t first);
  std::size_t step_match(std::size_t x, std::size_t distance);

  std::size_t width_;
  std::vector<std::uint8_t>& rows_;
  Costs costs_;
  NearRepeats repeats_;
  std::vector<std::size_t> distances_;  // of near repeats
  std::vector<Tried> tried_;            // of each distance

  // Of the columns at work.
  std::size_t start_ = 0, n_ = 0;  // the first's place among the rows' bytes, and how many there are
  std::vector<Literal> literals_;  // the cheapest
  std::vector<Excesses> excesses_;
  std::vector<Way> ways_;            // to what is before a column
  std::vector<std::uint8_t> bytes_;  // the last of these
};

}  // namespace chromapress
