#include "box_tree.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace chromapress {
namespace {

constexpr std::size_t kVectorPadding = 8;
// The space is cut into 32 cells a side: 3 bits for the group, 2 for the box in it.
constexpr unsigned kBoxBits = 2;
constexpr unsigned kCellBits = 5;
constexpr unsigned kKeyBits = 2 + 4 * kCellBits;
constexpr double kCellSide = 8;
// Of Oklab's a and b, times 255, in the sRGB gamut, -80 is below the least.
constexpr double kOklabOffset = 80;

struct Keyed {
  std::uint32_t key, index;
};

// A stable sort by key, half of the bits at a time.
std::unique_ptr<Keyed[]> radix_sorted(std::unique_ptr<Keyed[]> entries, std::size_t n) {
  constexpr unsigned half = kKeyBits / 2;
  constexpr std::uint32_t mask = (1u << half) - 1;
  auto other = std::make_unique_for_overwrite<Keyed[]>(n);
  for (const unsigned shift : {0u, half}) {
    std::vector<std::uint32_t> starts(std::size_t{mask} + 2, 0);
    for (std::size_t i = 0; i < n; ++i) ++starts[((entries[i].key >> shift) & mask) + 1];
    for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    for (std::size_t i = 0; i < n; ++i) other[starts[(entries[i].key >> shift) & mask]++] = entries[i];
    entries.swap(other);
  }
  return entries;
}

// From the top: kind, group, box. Boxes of a group and groups of a kind are neighbours in the order.
constexpr unsigned kGroupShift = 4 * kBoxBits;
constexpr unsigned kKindShift = 4 * kCellBits;

std::uint32_t cell_key(const Point& p, Kind kind, double offset) {
  std::uint32_t group = 0, box = 0;
  for (std::size_t d = 0; d < 4; ++d) {
    const double shifted = p[d] + (d == 1 || d == 2 ? offset : 0.0);
    const auto cell = static_cast<std::uint32_t>(static_cast<std::int32_t>(shifted * (1 / kCellSide)));
    group = (group << (kCellBits - kBoxBits)) | (cell >> kBoxBits);
    box = (box << kBoxBits) | (cell & ((1u << kBoxBits) - 1));
  }
  return (static_cast<std::uint32_t>(kind) << kKindShift) | (group << kGroupShift) | box;
}

void include(Box& box, const Box& part) {
  for (std::size_t d = 0; d < 4; ++d) {
    box.lo[d] = std::min(box.lo[d], part.lo[d]);
    box.hi[d] = std::max(box.hi[d], part.hi[d]);
  }
  box.totals.add(part.totals);
}

Box over_children(const std::vector<Box>& children, std::size_t begin, std::size_t end) {
  if (begin == end) return {};
  Box box = children[begin];
  box.begin = static_cast<std::uint32_t>(begin);
  box.end = static_cast<std::uint32_t>(end);
  for (std::size_t i = begin + 1; i < end; ++i) include(box, children[i]);
  return box;
}

}  // namespace

BoxTree build_box_tree(const HistogramView& view, ColorSpace space) {
  const std::size_t n = view.colors.size();
  BoxTree tree;
  tree.space = space;
  const bool is_srgb = space == ColorSpace::srgb;
  std::vector<Point> converted(is_srgb ? 0 : n);  // sRGB is quicker computed twice than stored
  for (std::size_t i = 0; i < converted.size(); ++i) converted[i] = to_space(premultiply(view.colors[i]), space);
  const auto point = [&](std::size_t i) { return is_srgb ? premultiply(view.colors[i]) : converted[i]; };

  auto keyed = std::make_unique_for_overwrite<Keyed[]>(n);
  for (std::size_t i = 0; i < n; ++i) {
    keyed[i] = {cell_key(point(i), kind_of(view.colors[i]), is_srgb ? 0 : kOklabOffset), static_cast<std::uint32_t>(i)};
  }
  const auto sorted = radix_sorted(std::move(keyed), n);

  tree.leaves.reserve(std::min<std::size_t>(n, 8192));
  for (auto& column : tree.x) column.resize(n + kVectorPadding);
  tree.weight.resize(n);
  tree.order.resize(n);
  // Every run of equal keys is a leaf; of equal group bits, a group; of equal kind bits, a kind.
  std::vector<std::uint32_t> leaf_keys, group_keys;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t from = sorted[i].index;
    const Point p = point(from);
    const auto w = static_cast<double>(view.counts[from]);
    tree.order[i] = sorted[i].index;
    tree.weight[i] = w;
    for (std::size_t d = 0; d < 4; ++d) tree.x[d][i] = p[d];
    tree.weighted_square += w * squared_distance(p, Point{});
    Box box{static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i + 1), p, p, {}};
    box.totals.add(w, p);
    if (i > 0 && sorted[i].key == sorted[i - 1].key) {
      include(tree.leaves.back(), box);
      ++tree.leaves.back().end;
    } else {
      tree.leaves.push_back(box);
      leaf_keys.push_back(sorted[i].key >> kGroupShift);
    }
  }
  for (auto& column : tree.leaf_mean) column.resize(tree.leaves.size() + kVectorPadding);
  for (std::size_t i = 0; i < tree.leaves.size(); ++i) {
    const Point mean = tree.leaves[i].totals.mean();
    for (std::size_t d = 0; d < 4; ++d) tree.leaf_mean[d][i] = mean[d];
  }
  for (std::size_t begin = 0, end = 0; begin < leaf_keys.size(); begin = end) {
    while (end < leaf_keys.size() && leaf_keys[end] == leaf_keys[begin]) ++end;
    tree.groups.push_back(over_children(tree.leaves, begin, end));
    group_keys.push_back(leaf_keys[begin] >> (kKindShift - kGroupShift));
  }
  std::size_t begin = 0;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    std::size_t end = begin;
    while (end < group_keys.size() && group_keys[end] == kind) ++end;
    tree.kinds[kind] = over_children(tree.groups, begin, end);
    begin = end;
  }
  return tree;
}

}  // namespace chromapress
