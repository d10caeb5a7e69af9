// One row of a rate-distortion-optimised map: a shortest path whose nodes are a pixel's possible entries and whose steps
// are literals and matches that need not be exact.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "deflate_matches.hpp"
#include "deflate_parse.hpp"
#include "near_entries.hpp"

namespace chromapress {

class Trellis {
 public:
  /// `rows`: the filtered rows of the image, each after its filter's byte, replaced row by row.
  Trellis(std::size_t width, std::vector<std::uint8_t>& rows) : width_(width), rows_(rows) {}

  /// What literals and matches cost in the following rows.
  void set_costs(const Costs& costs) { costs_ = &costs; }

  /// Replaces row y of `indices` (the whole map) and of the rows. `choices` are of its pixels, `matches` those of
  /// positions in the filtered rows from `first` on.
  void row(std::size_t y, std::span<const Choices> choices, const Matches& matches, std::size_t first,
           std::span<std::uint8_t> indices);

 private:
  struct Node {
    std::int32_t cost;
    std::uint16_t length, distance;  // of the step that leads here; length 0: a literal
    std::uint8_t from, byte;         // the place among the choices where the step begins; the byte before this node
  };
  // Nodes after a column's pixel, at the places of its choices.
  struct Column {
    std::array<Node, kChoices> nodes;
    std::int32_t least;       // cost of its nodes
    std::uint8_t best;
  };

  std::uint8_t predict(std::size_t x, std::uint8_t left) const;
  void step_literal(std::size_t x);
  void step_match(std::size_t x, std::size_t place, std::size_t distance);
  void trace();

  std::size_t width_;
  std::vector<std::uint8_t>& rows_;
  const Costs* costs_ = nullptr;

  // Of the row at work.
  std::uint8_t filter_ = 0;
  std::size_t start_ = 0;  // of its filtered bytes
  std::span<const Choices> choices_;
  std::span<std::uint8_t> current_;
  std::vector<std::uint8_t> above_;  // with a 0 before
  std::vector<Column> columns_;      // the first is before the first pixel
};

}  // namespace chromapress
