#include "cell_table.hpp"

#include <algorithm>
#include <cstdlib>

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

// Of equal distances the first: the position is in the lower bits.
CHROMAPRESS_DISPATCH
std::int32_t nearest_position(const std::int32_t* r, const std::int32_t* g, const std::int32_t* b, std::size_t count,
                              std::int32_t x, std::int32_t y, std::int32_t z) {
  std::int32_t least = INT32_MAX;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t dr = r[i] - x, dg = g[i] - y, db = b[i] - z;
    least = std::min(least, ((dr * dr + dg * dg + db * db) << 8) | static_cast<std::int32_t>(i));
  }
  return least & 255;
}

}  // namespace

void CellTable::Columns::push(std::int32_t r_, std::int32_t g_, std::int32_t b_, std::uint8_t number_) {
  r.push_back(r_);
  g.push_back(g_);
  b.push_back(b_);
  number.push_back(number_);
}

void CellTable::Columns::pad() {
  constexpr std::int32_t kFar = 1000;
  while (r.size() % kLanes != 0) push(kFar, kFar, kFar, 0);
}

CellTable::CellTable(std::span<const Entry> entries) : cells_(kCells, kUnopened) {
  for (const Entry& e : entries) pool_.push(e.color.r, e.color.g, e.color.b, e.number);
  pool_.pad();
  all_ = {0, static_cast<std::uint32_t>(entries.size())};
  constexpr std::size_t kLikelyBlocks = 4096;
  answers_.reserve(kLikelyBlocks * kCellColors);
  add_block({}, kUnknown);
}

// Those of `from` that may be the nearest in the box of side^3 colours from `low`, in their order.
CellTable::Slice CellTable::select(Slice from, std::array<std::int32_t, 3> low, std::int32_t side) {
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

std::uint16_t CellTable::add_block(Slice entries, std::uint8_t answer) {
  blocks_.push_back(entries);
  answers_.resize(answers_.size() + kCellColors, answer);
  return static_cast<std::uint16_t>(blocks_.size() - 1);
}

void CellTable::open_cell(std::uint32_t cell) {
  const auto r = static_cast<std::int32_t>(cell >> 10), g = static_cast<std::int32_t>((cell >> 5) & 31),
             b = static_cast<std::int32_t>(cell & 31);
  Slice& group = groups_[static_cast<std::size_t>(((r >> 2) << 6) | ((g >> 2) << 3) | (b >> 2))];
  if (group.size == 0) group = select(all_, {(r >> 2) * 32, (g >> 2) * 32, (b >> 2) * 32}, 32);
  const Slice slice = group.size == 1 ? group : select(group, {r * 8, g * 8, b * 8}, 8);
  if (slice.size > 1) {
    cells_[cell] = add_block(slice, kUnknown);
    return;
  }
  const std::uint8_t number = pool_.number[slice.begin];
  if (shared_[number] == kUnopened) shared_[number] = add_block(slice, number);
  cells_[cell] = shared_[number];
}

std::uint8_t CellTable::find_out(std::uint32_t cell, std::uint32_t color, std::uint32_t r, std::uint32_t g,
                                 std::uint32_t b) {
  if (cells_[cell] == kUnopened) open_cell(cell);
  std::uint8_t& answer = answers_[cells_[cell] * kCellColors + color];
  if (answer == kUnknown) answer = nearest(blocks_[cells_[cell]], r, g, b);
  return answer;
}

std::uint8_t CellTable::nearest(Slice slice, std::uint32_t r, std::uint32_t g, std::uint32_t b) const {
  const std::size_t padded = (slice.size + kLanes - 1) / kLanes * kLanes;
  const std::int32_t position =
      nearest_position(&pool_.r[slice.begin], &pool_.g[slice.begin], &pool_.b[slice.begin], padded,
                       static_cast<std::int32_t>(r), static_cast<std::int32_t>(g), static_cast<std::int32_t>(b));
  return pool_.number[slice.begin + static_cast<std::size_t>(position)];
}

}  // namespace chromapress
