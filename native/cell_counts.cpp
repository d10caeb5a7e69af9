#include "cell_counts.hpp"

#include <bit>
#include <cstring>
#include <numeric>

namespace chromapress {
namespace {

constexpr std::size_t kSide = 8;              // of a cell
constexpr std::size_t kAcross = 256 / kSide;  // cells
constexpr unsigned kMost = 255;

constexpr std::size_t kRows = kSide * kSide;  // of a cell, each of one red and green

// The counts of a cell, by colour.
struct Cell {
  std::uint32_t g, b;  // the least
  const std::uint8_t* counts;
  std::uint64_t rows;  // a bit for each that is not empty
};

std::uint64_t row_of(const std::uint8_t* counts, std::size_t row) {
  std::uint64_t of_row;
  std::memcpy(&of_row, counts + row * kSide, sizeof of_row);
  return of_row;
}

std::uint64_t occurring_rows(const std::uint8_t* counts) {
  constexpr std::size_t kTogether = 8;
  std::uint64_t rows = 0;
  for (std::size_t row = 0; row < kRows; row += kTogether) {
    std::uint64_t here = 0;
    for (std::size_t i = 0; i < kTogether; ++i) here |= std::uint64_t{row_of(counts, row + i) != 0} << i;
    rows |= here << row;
  }
  return rows;
}

// How many of eight counts are not 0.
std::uint64_t occurring(std::uint64_t counts) {
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7f, kOnes = 0x0101010101010101;
  return ((((counts & kLow) + kLow) | counts) >> 7 & kOnes) * kOnes >> 56;
}

// visit(red in the cell, green, its eight counts) for each row that is not empty.
template <typename Visit>
void for_each_row(const Cell& cell, Visit visit) {
  for (std::uint64_t rows = cell.rows; rows != 0; rows &= rows - 1) {
    const auto row = static_cast<std::size_t>(std::countr_zero(rows));
    visit(row / kSide, cell.g + row % kSide, row_of(cell.counts, row));
  }
}

constexpr std::size_t slab_number(std::uint32_t place) { return place / kCellColors / (kAcross * kAcross); }

}  // namespace

// The cells of one red, of which the first table that has a cell has the sum of all, up to overflows.
struct CellCounts::Slab {
  std::vector<Cell> cells;                                         // by g, then b
  std::array<std::uint16_t, kSide * kAcross * kSide> row_sizes{};  // of each red and green
  std::size_t size = 0;                                            // colours

  void list(std::size_t r, Rgba* colors, std::int64_t* counts, std::span<const CellCounts> tables) const;
};

// The number of a row of a cell, by red and green, in its slab.
constexpr std::size_t row_number(std::size_t red, std::size_t green) { return red * kAcross * kSide + green; }

CellCounts::CellCounts() : blocks_(kCells, kUnopened) {
  constexpr std::size_t kLikelyBlocks = 4096;
  counts_.reserve(kLikelyBlocks * kCellColors);
  counts_.resize(kCellColors);  // the block of the unopened
}

void CellCounts::add_all(std::span<const std::uint8_t> rgb) {
  // Read once: a count that is written might be anything, for all that the compiler knows.
  const std::uint16_t* blocks = blocks_.data();
  std::uint8_t* counts = counts_.data();
  for_each_place(rgb, [this, blocks, &counts](std::uint32_t place, std::size_t) {
    std::size_t block = blocks[place / kCellColors];
    if (block == kUnopened) {
      block = open(place / kCellColors);
      counts = counts_.data();
    }
    std::uint8_t& count = counts[block * kCellColors + place % kCellColors];
    if (++count == 0) overflow(place, count);
  });
}

std::size_t CellCounts::open(std::size_t cell) {
  const std::size_t block = counts_.size() / kCellColors;
  counts_.resize(counts_.size() + kCellColors);
  blocks_[cell] = static_cast<std::uint16_t>(block);
  return block;
}

void CellCounts::overflow(std::uint32_t place, std::uint8_t& count) {
  count = 1;  // what occurs never counts 0
  overflows_[slab_number(place)].push_back(place);
}

CellCounts::Slab CellCounts::slab_of(std::span<CellCounts> tables, std::size_t r) {
  Slab slab;
  for (std::size_t g = 0; g < kAcross; ++g) {
    for (std::size_t b = 0; b < kAcross; ++b) {
      const std::size_t cell = (r * kAcross + g) * kAcross + b;
      std::uint8_t* sum = nullptr;
      for (CellCounts& table : tables) {
        if (table.blocks_[cell] == kUnopened) continue;
        std::uint8_t* counts = &table.counts_[table.blocks_[cell] * kCellColors];
        if (sum == nullptr) {
          sum = counts;
          continue;
        }
        for (std::size_t i = 0; i < kCellColors; ++i) {
          const unsigned both = unsigned{sum[i]} + counts[i];
          sum[i] = static_cast<std::uint8_t>(both > kMost ? both - kMost : both);
          if (both > kMost) table.overflows_[r].push_back(static_cast<std::uint32_t>(cell * kCellColors + i));
        }
      }
      if (sum == nullptr) continue;
      const Cell of_all{static_cast<std::uint32_t>(g * kSide), static_cast<std::uint32_t>(b * kSide), sum,
                        occurring_rows(sum)};
      for_each_row(of_all, [&](std::size_t red, std::size_t green, std::uint64_t counts) {
        const std::uint64_t colors = occurring(counts);
        slab.row_sizes[row_number(red, green)] += static_cast<std::uint16_t>(colors);
        slab.size += colors;
      });
      slab.cells.push_back(of_all);
    }
  }
  return slab;
}

// Writes its `size` colours, in their order, and their counts.
void CellCounts::Slab::list(std::size_t r, Rgba* colors, std::int64_t* counts,
                            std::span<const CellCounts> tables) const {
  // Where the next colour of each red and green goes: with the cells' blues ascending, that is the order.
  std::array<std::uint32_t, kSide * kAcross * kSide> next;
  std::exclusive_scan(row_sizes.begin(), row_sizes.end(), next.begin(), std::uint32_t{0});
  for (const Cell& cell : cells) {
    for_each_row(cell, [&](std::size_t red, std::size_t green, std::uint64_t left) {
      const auto key = static_cast<std::uint32_t>(((r * kSide + red) << 24) | (green << 16) | (cell.b << 8) | 255);
      std::uint32_t& n = next[row_number(red, green)];
      for (; left != 0; ++n) {
        const auto b = static_cast<std::uint32_t>(std::countr_zero(left)) / 8;
        colors[n] = from_key(key | (b << 8));
        counts[n] = static_cast<std::int64_t>(left >> (8 * b) & kMost);
        left &= ~(std::uint64_t{kMost} << (8 * b));
      }
    });
  }
  for (const CellCounts& table : tables) {
    for (const std::uint32_t place : table.overflows_[r]) {
      const Rgba color = color_at(place);
      std::uint32_t i = next[row_number(color.r % kSide, color.g)] - 1;
      while (colors[i].b != color.b) --i;
      counts[i] += kMost;
    }
  }
}

Histogram CellCounts::histogram(std::span<CellCounts> tables, Team& team) {
  std::array<Slab, kSlabs> slabs;
  team(kSlabs, [&](std::size_t r) { slabs[r] = slab_of(tables, r); });
  std::array<std::size_t, kSlabs + 1> starts{};
  for (std::size_t r = 0; r < kSlabs; ++r) starts[r + 1] = starts[r] + slabs[r].size;
  Histogram result;
  result.colors.resize(starts.back());
  result.counts.resize(starts.back());
  team(kSlabs, [&](std::size_t r) {
    slabs[r].list(r, result.colors.data() + starts[r], result.counts.data() + starts[r], tables);
  });
  return result;
}

}  // namespace chromapress
