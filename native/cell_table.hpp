// The nearest of a few opaque colours to any opaque colour, in sRGB levels: exact, in integers, answers remembered.
//
// The colour cube is cut into cells of 8^3 colours. The first question about a cell rules out the entries that are
// the nearest of none of its colours, then answers for all its colours at once; cells that have one entry left share
// a block of answers. Threads share what they remember, without locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cells.hpp"
#include "parallel.hpp"

namespace chromapress {

class CellTable {
 public:
  struct Entry {
    Rgba color;
    std::uint8_t number;
  };

  /// At least one entry, at most 256, with ascending numbers; of equally near ones the first is taken. For at most
  /// kMostThreads readers.
  explicit CellTable(std::span<const Entry> entries);

  class Reader;

 private:
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kGroups = 512;  // of 4^3 cells
  static constexpr std::uint16_t kUnopened = 0;
  static constexpr std::size_t kBlocksTogether = 16;  // that a reader takes

  // Entries as columns, padded to whole vectors.
  struct Columns {
    std::vector<std::int32_t> r, g, b;
    std::vector<std::uint8_t> number;
    void push(std::int32_t r_, std::int32_t g_, std::int32_t b_, std::uint8_t number_);
    void resize(std::size_t size);
    void pad();
  };
  struct Slice {
    std::uint32_t begin = 0, size = 0;
  };
  using Block = std::atomic<std::uint16_t>;

  Columns entries_;
  Slice all_;
  std::vector<Block> cells_;  // the block of each cell
  // By block; there is room for all, and for those of each reader that are not in use, untouched until then.
  std::unique_ptr<std::uint8_t[]> answers_;
  Block taken_ = kUnopened + 1;
};

/// Asks for one thread. The table must outlive it.
class CellTable::Reader {
 public:
  explicit Reader(CellTable& table) : table_(&table), blocks_(kCells), pool_(table.entries_) {}

  /// The number of the entry that is nearest to the colour of a place.
  std::uint8_t operator()(std::uint32_t place) {
    return table_->answers_[block_of(blocks_.data(), place) * kCellColors + place % kCellColors];
  }

  /// The same for each pixel of three channels.
  void map(std::span<const std::uint8_t> rgb, std::uint8_t* numbers);

 private:
  std::size_t block_of(const std::uint16_t* blocks, std::uint32_t place) {
    const std::size_t block = blocks[place / kCellColors];
    return block != kUnopened ? block : find_block(place / kCellColors);
  }
  std::uint16_t find_block(std::size_t cell);
  Slice select(Slice from, std::array<std::int32_t, 3> low, std::int32_t side);
  std::uint16_t open_cell(std::size_t cell);

  CellTable* table_;
  // Of each cell that it asked for: the table's are in lines of a cache that others' openings take away.
  std::vector<std::uint16_t> blocks_;
  Columns pool_;  // all entries, the selections of the groups, and that of the last cell
  std::array<Slice, kGroups> groups_{};
  std::array<std::uint16_t, kMaxColors> shared_{};  // the block of the cells that have but this entry left
  std::uint16_t next_ = 0, end_ = 0;                // blocks that it took and are not in use
};

}  // namespace chromapress
