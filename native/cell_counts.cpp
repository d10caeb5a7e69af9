#include "cell_counts.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace chromapress {
namespace {

constexpr std::size_t kSide = 8;              // of a cell
constexpr std::size_t kAcross = 256 / kSide;  // cells
constexpr unsigned kMost = 255;

}  // namespace

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
  overflows_.push_back(place);
}

void CellCounts::add(const CellCounts& more) {
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    if (more.blocks_[cell] == kUnopened) continue;
    const std::size_t block = blocks_[cell] != kUnopened ? blocks_[cell] : open(cell);
    std::uint8_t* to = &counts_[block * kCellColors];
    const std::uint8_t* from = &more.counts_[more.blocks_[cell] * kCellColors];
    for (std::size_t i = 0; i < kCellColors; ++i) {
      const unsigned sum = unsigned{to[i]} + from[i];
      to[i] = static_cast<std::uint8_t>(sum > kMost ? sum - kMost : sum);
      if (sum > kMost) overflows_.push_back(static_cast<std::uint32_t>(cell * kCellColors + i));
    }
  }
  overflows_.insert(overflows_.end(), more.overflows_.begin(), more.overflows_.end());
}

// The colours of the cells of one `r`, which follow one another.
void CellCounts::list_slab(std::size_t r, Histogram& to) const {
  struct Cell {
    std::uint32_t b;  // the least
    const std::uint8_t* counts;
  };
  std::array<Cell, kAcross * kAcross> cells;  // by g, then b
  std::array<std::size_t, kAcross + 1> ends{};
  std::size_t size = 0;
  for (std::size_t g = 0; g < kAcross; ++g) {
    for (std::size_t b = 0; b < kAcross; ++b) {
      const std::size_t block = blocks_[(r * kAcross + g) * kAcross + b];
      if (block != kUnopened) cells[size++] = {static_cast<std::uint32_t>(b * kSide), &counts_[block * kCellColors]};
    }
    ends[g + 1] = size;
  }
  for (std::size_t plane = 0; plane < kSide; ++plane) {
    for (std::size_t g = 0; g < kAcross * kSide; ++g) {
      const std::size_t row = (plane * kSide + g % kSide) * kSide;
      const auto key = static_cast<std::uint32_t>(((r * kSide + plane) << 24) | (g << 16) | 255);
      for (std::size_t i = ends[g / kSide]; i < ends[g / kSide + 1]; ++i) {
        const std::uint8_t* counts = cells[i].counts + row;
        std::uint64_t left;
        std::memcpy(&left, counts, sizeof left);
        while (left != 0) {
          const auto b = static_cast<std::uint32_t>(std::countr_zero(left)) / 8;
          left &= ~(std::uint64_t{255} << (8 * b));
          to.colors.push_back(from_key(key | ((cells[i].b + b) << 8)));
          to.counts.push_back(counts[b]);
        }
      }
    }
  }
}

Histogram CellCounts::histogram() const {
  constexpr std::size_t kLikely = 65536;
  Histogram result;
  result.colors.reserve(std::min(kLikely, counts_.size()));
  result.counts.reserve(result.colors.capacity());
  for (std::size_t r = 0; r < kAcross; ++r) list_slab(r, result);
  for (const std::uint32_t place : overflows_) {
    const auto at = std::lower_bound(result.colors.begin(), result.colors.end(), color_at(place));
    result.counts[static_cast<std::size_t>(at - result.colors.begin())] += kMost;
  }
  return result;
}

}  // namespace chromapress
