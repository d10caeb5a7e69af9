#include "cell_table.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "dispatch.hpp"

namespace chromapress {
namespace {

// In doubled coordinates, so that the middle m of a box is an integer: the squared distances of the entries from m.
CHROMAPRESS_DISPATCH
std::int32_t distances(const std::int32_t* r, const std::int32_t* g, const std::int32_t* b, std::size_t count,
                       std::array<std::int32_t, 3> middle, std::int32_t* out) {
  std::int32_t least = INT32_MAX;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t dr = 2 * r[i] - middle[0], dg = 2 * g[i] - middle[1], db = 2 * b[i] - middle[2];
    out[i] = dr * dr + dg * dg + db * db;
    least = std::min(least, out[i]);
  }
  return least;
}

// With c* the entry nearest to m, and t = x - m at most `reach` in each coordinate,
//   |x - c|^2 - |x - c*|^2 = |m - c|^2 - |m - c*|^2 - 2 t (c - c*) >= |m - c|^2 - |m - c*|^2 - 2 reach sum |c - c*|:
// where that is above 0, c is the nearest of no x in the box.
CHROMAPRESS_DISPATCH
void excess(const std::int32_t* r, const std::int32_t* g, const std::int32_t* b, std::size_t count, std::size_t best,
            std::int32_t reach, std::int32_t* distance) {
  const std::int32_t least = distance[best], br = r[best], bg = g[best], bb = b[best];
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t apart = std::abs(r[i] - br) + std::abs(g[i] - bg) + std::abs(b[i] - bb);
    distance[i] -= least + 4 * reach * apart;
  }
}

using Int8x32 = std::int32_t __attribute__((vector_size(32)));

// The low bytes of four vectors, one after the other.
CHROMAPRESS_INLINE void write_low_bytes(const Int8x32* four, std::uint8_t* out) {
  using Bytes = std::uint8_t __attribute__((vector_size(32)));
  // In each lane a byte of each vector, then turned about.
  Int8x32 lanes = (four[0] & 255) | (four[1] & 255) << 8 | (four[2] & 255) << 16 | four[3] << 24;
  Bytes bytes;
  std::memcpy(&bytes, &lanes, sizeof bytes);
  bytes = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,  //
                                  16, 20, 24, 28, 17, 21, 25, 29, 18, 22, 26, 30, 19, 23, 27, 31);
  std::memcpy(&lanes, &bytes, sizeof lanes);
  lanes = __builtin_shufflevector(lanes, lanes, 0, 4, 1, 5, 2, 6, 3, 7);
  std::memcpy(out, &lanes, sizeof lanes);
}

// The numbers of the entries nearest to the 8^3 colours from `low` on, of equal distances the least number. Of
// |low + t - c|^2, with c' = c - low, only |c'|^2 - 2 t c' depends on c; the number is in the lower bits.
CHROMAPRESS_DISPATCH
void fill_cell(const std::int32_t* r, const std::int32_t* g, const std::int32_t* b, const std::uint8_t* number,
               std::size_t count, std::array<std::int32_t, 3> low, std::uint8_t* out) {
  constexpr std::int32_t kNumbers = 256, kSide = 8;
  struct Entry {
    Int8x32 along_b;
    std::int32_t step_r, step_g;
  };
  std::array<Entry, kMaxColors> entries;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t dr = r[i] - low[0], dg = g[i] - low[1], db = b[i] - low[2];
    const std::int32_t base = (dr * dr + dg * dg + db * db) * kNumbers + number[i], step = -2 * kNumbers * db;
    entries[i] = {base + step * Int8x32{0, 1, 2, 3, 4, 5, 6, 7}, -2 * kNumbers * dr, -2 * kNumbers * dg};
  }
  for (std::int32_t red = 0; red < kSide; ++red) {
    std::array<Int8x32, kSide> least;
#pragma GCC unroll 8
    for (Int8x32& of_green : least) of_green = Int8x32{} + INT32_MAX;
    for (std::size_t i = 0; i < count; ++i) {
      Int8x32 here = entries[i].along_b + red * entries[i].step_r;
#pragma GCC unroll 8
      for (Int8x32& of_green : least) {
        of_green = here < of_green ? here : of_green;
        here += entries[i].step_g;
      }
    }
    for (std::size_t green = 0; green < kSide; green += 4, out += 32) {
      write_low_bytes(&least[green], out);
    }
  }
}

}  // namespace

void CellTable::Columns::push(std::int32_t r_, std::int32_t g_, std::int32_t b_, std::uint8_t number_) {
  r.push_back(r_);
  g.push_back(g_);
  b.push_back(b_);
  number.push_back(number_);
}

void CellTable::Columns::resize(std::size_t size) {
  r.resize(size);
  g.resize(size);
  b.resize(size);
  number.resize(size);
}

void CellTable::Columns::pad() {
  constexpr std::int32_t kFar = 1000;
  while (r.size() % kLanes != 0) push(kFar, kFar, kFar, 0);
}

CellTable::CellTable(std::span<const Entry> entries)
    : cells_(kCells),
      answers_(
          std::make_unique_for_overwrite<std::uint8_t[]>((1 + kCells + kMostThreads * kBlocksTogether) * kCellColors)) {
  for (const Entry& e : entries) entries_.push(e.color.r, e.color.g, e.color.b, e.number);
  entries_.pad();
  all_ = {0, static_cast<std::uint32_t>(entries.size())};
}

// Those of `from` that may be the nearest in the box of side^3 colours from `low`, in their order.
CellTable::Slice CellTable::Reader::select(Slice from, std::array<std::int32_t, 3> low, std::int32_t side) {
  std::array<std::int32_t, kMaxColors> distance;
  const std::int32_t *r = &pool_.r[from.begin], *g = &pool_.g[from.begin], *b = &pool_.b[from.begin];
  const std::int32_t least = distances(
      r, g, b, from.size, {2 * low[0] + side - 1, 2 * low[1] + side - 1, 2 * low[2] + side - 1}, distance.data());
  const auto end = distance.begin() + static_cast<std::ptrdiff_t>(from.size);
  const auto best = static_cast<std::size_t>(std::find(distance.begin(), end, least) - distance.begin());
  excess(r, g, b, from.size, best, side - 1, distance.data());
  const Slice kept{static_cast<std::uint32_t>(pool_.r.size()),
                   static_cast<std::uint32_t>(std::count_if(distance.begin(), end, [](auto e) { return e <= 0; }))};
  for (std::size_t i = 0; i < from.size; ++i) {
    const std::size_t at = from.begin + i;
    if (distance[i] <= 0) pool_.push(pool_.r[at], pool_.g[at], pool_.b[at], pool_.number[at]);
  }
  pool_.pad();
  return kept;
}

std::uint16_t CellTable::Reader::open_cell(std::size_t cell) {
  const auto r = static_cast<std::int32_t>(cell >> 10), g = static_cast<std::int32_t>((cell >> 5) & 31),
             b = static_cast<std::int32_t>(cell & 31);
  Slice& group = groups_[static_cast<std::size_t>(((r >> 2) << 6) | ((g >> 2) << 3) | (b >> 2))];
  if (group.size == 0) group = select(table_->all_, {(r >> 2) * 32, (g >> 2) * 32, (b >> 2) * 32}, 32);
  const std::array<std::int32_t, 3> low = {r * 8, g * 8, b * 8};
  const std::size_t kept = pool_.r.size();
  const Slice slice = group.size == 1 ? group : select(group, low, 8);
  const std::uint8_t first = pool_.number[slice.begin];
  std::uint16_t block = slice.size == 1 ? shared_[first] : kUnopened;
  const bool is_new = block == kUnopened;
  if (is_new) {
    if (next_ == end_) {
      next_ = table_->taken_.fetch_add(kBlocksTogether);
      end_ = static_cast<std::uint16_t>(next_ + kBlocksTogether);
    }
    block = next_;
    fill_cell(&pool_.r[slice.begin], &pool_.g[slice.begin], &pool_.b[slice.begin], &pool_.number[slice.begin],
              slice.size, low, &table_->answers_[block * kCellColors]);
  }
  pool_.resize(kept);
  std::uint16_t known = kUnopened;
  if (!table_->cells_[cell].compare_exchange_strong(known, block, std::memory_order_acq_rel)) return known;
  if (is_new) {
    ++next_;
    if (slice.size == 1) shared_[first] = block;
  }
  return block;
}

std::uint16_t CellTable::Reader::find_block(std::size_t cell) {
  constexpr std::size_t kLine = 64;  // of a cache
  // What another thread wrote into a block is seen once its number is.
  std::uint16_t block = table_->cells_[cell].load(std::memory_order_acquire);
  if (block == kUnopened) {
    block = open_cell(cell);
  } else {
    // From another's cache, maybe far away: all at once rather than line by line.
    for (std::size_t i = 0; i < kCellColors; i += kLine) {
      __builtin_prefetch(&table_->answers_[block * kCellColors + i]);
    }
  }
  return blocks_[cell] = block;
}

void CellTable::Reader::map(std::span<const std::uint8_t> rgb, std::uint8_t* numbers) {
  const std::uint16_t* blocks = blocks_.data();
  const std::uint8_t* answers = table_->answers_.get();
  for_each_place(rgb, [this, blocks, answers, numbers](std::uint32_t place, std::size_t i) {
    numbers[i] = answers[block_of(blocks, place) * kCellColors + place % kCellColors];
  });
}

}  // namespace chromapress
