#include "cell_counts.hpp"

#include <bit>
#include <cstring>
#include <numeric>

namespace chromapress {
namespace {

constexpr std::size_t kSide = 8;              // of a cell
constexpr std::size_t kAcross = 256 / kSide;  // cells
constexpr unsigned kMost = 255;

// The counts of a cell, by colour.
struct Cell {
  std::uint32_t b;  // the least
  std::uint8_t* counts;
};

std::size_t occurring(const std::uint8_t* counts) {
  constexpr std::size_t kLanes = 32;
  std::array<std::uint8_t, kLanes> lanes{};
  for (std::size_t i = 0; i < kCellColors; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = static_cast<std::uint8_t>(lanes[lane] + (counts[i + lane] != 0 ? 1 : 0));
    }
  }
  // Eight lanes at a time, then in pairs.
  constexpr std::uint64_t kEven = 0x00ff00ff00ff00ff, kAll = 0x0001000100010001;
  std::array<std::uint64_t, kLanes / 8> eights;
  std::memcpy(eights.data(), lanes.data(), sizeof lanes);
  const std::uint64_t sum = std::accumulate(eights.begin(), eights.end(), std::uint64_t{0});
  return ((sum & kEven) + (sum >> 8 & kEven)) * kAll >> 48;
}

constexpr std::size_t slab_number(std::uint32_t place) { return place / kCellColors / (kAcross * kAcross); }

}  // namespace

// The cells of one red, of which the first table that has a cell has the sum of all, up to overflows.
struct CellCounts::Slab {
  std::vector<Cell> cells;  // by g, then b
  std::array<std::size_t, kAcross + 1> ends{};
  std::size_t size = 0;  // colours

  void list(std::size_t r, Rgba* colors, std::int64_t* counts, std::span<const CellCounts> tables) const;
};

CellCounts::CellCounts() : blocks_(kCells, kUnopened) {
  constexpr std::size_t kLikelyBlocks = 4096;
  counts_.reserve(kLikelyBlocks * kCellColors);
  counts_.resize(kCellColors);  // the block of the unopened
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
      slab.cells.push_back({static_cast<std::uint32_t>(b * kSide), sum});
      slab.size += occurring(sum);
    }
    slab.ends[g + 1] = slab.cells.size();
  }
  return slab;
}

// Writes its `size` colours, in their order, and their counts.
void CellCounts::Slab::list(std::size_t r, Rgba* colors, std::int64_t* counts,
                            std::span<const CellCounts> tables) const {
  std::array<std::uint32_t, kSide * kAcross * kSide> rows;  // the first colour of each red and green
  std::uint32_t n = 0;
  for (std::size_t plane = 0; plane < kSide; ++plane) {
    for (std::size_t g = 0; g < kAcross * kSide; ++g) {
      rows[plane * kAcross * kSide + g] = n;
      const std::size_t row = (plane * kSide + g % kSide) * kSide;
      const auto key = static_cast<std::uint32_t>(((r * kSide + plane) << 24) | (g << 16) | 255);
      for (std::size_t i = ends[g / kSide]; i < ends[g / kSide + 1]; ++i) {
        const std::uint8_t* of_row = cells[i].counts + row;
        std::uint64_t left;
        std::memcpy(&left, of_row, sizeof left);
        while (left != 0) {
          const auto b = static_cast<std::uint32_t>(std::countr_zero(left)) / 8;
          left &= ~(std::uint64_t{255} << (8 * b));
          colors[n] = from_key(key | ((cells[i].b + b) << 8));
          counts[n++] = of_row[b];
        }
      }
    }
  }
  for (const CellCounts& table : tables) {
    for (const std::uint32_t place : table.overflows_[r]) {
      const Rgba color = color_at(place);
      std::uint32_t i = rows[color.r % kSide * kAcross * kSide + color.g];
      while (colors[i].b != color.b) ++i;
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
