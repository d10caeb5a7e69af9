#include "box_tree.hpp"

#include <algorithm>

namespace chromapress {
namespace {

constexpr std::size_t kVectorPadding = 8;
// A kind's bounds are cut into 32 cells a side: 2 bits for the group, 3 for the box in it.
constexpr unsigned kBoxBits = 3;
constexpr double kCells = 32;

struct Bounds {
  Point lo{}, hi{};
  bool empty = true;

  void add(const Point& p) {
    for (std::size_t d = 0; d < 4; ++d) {
      lo[d] = empty ? p[d] : std::min(lo[d], p[d]);
      hi[d] = empty ? p[d] : std::max(hi[d], p[d]);
    }
    empty = false;
  }
};

// Two bits of kind, eight of group, twelve of box.
std::uint32_t cell_key(const Point& p, Kind kind, const Bounds& bounds, double scale) {
  std::uint32_t group = 0, box = 0;
  for (std::size_t d = 0; d < 4; ++d) {
    const auto cell = static_cast<std::uint32_t>((p[d] - bounds.lo[d]) * scale);
    group = (group << 2) | (cell >> kBoxBits);
    box = (box << kBoxBits) | (cell & ((1u << kBoxBits) - 1));
  }
  return (static_cast<std::uint32_t>(kind) << 20) | (group << 12) | box;
}

Box over_children(const std::vector<Box>& children, std::size_t begin, std::size_t end) {
  Box box;
  box.begin = static_cast<std::uint32_t>(begin);
  box.end = static_cast<std::uint32_t>(end);
  if (begin == end) return box;
  box.lo = children[begin].lo;
  box.hi = children[begin].hi;
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t d = 0; d < 4; ++d) {
      box.lo[d] = std::min(box.lo[d], children[i].lo[d]);
      box.hi[d] = std::max(box.hi[d], children[i].hi[d]);
    }
    box.totals.add(children[i].totals);
  }
  return box;
}

Box over_colors(const BoxTree& tree, std::size_t begin, std::size_t end) {
  Box box;
  box.begin = static_cast<std::uint32_t>(begin);
  box.end = static_cast<std::uint32_t>(end);
  Bounds bounds;
  for (std::size_t i = begin; i < end; ++i) {
    const Point p = tree.point(i);
    bounds.add(p);
    box.totals.add(tree.weight[i], p);
  }
  box.lo = bounds.lo;
  box.hi = bounds.hi;
  return box;
}

}  // namespace

BoxTree build_box_tree(const HistogramView& view, ColorSpace space) {
  const std::size_t n = view.colors.size();
  BoxTree tree;
  tree.space = space;
  std::vector<Point> points(n);
  std::array<Bounds, kKinds> bounds;
  for (std::size_t i = 0; i < n; ++i) {
    points[i] = to_space(premultiply(view.colors[i]), space);
    bounds[static_cast<std::size_t>(kind_of(view.colors[i]))].add(points[i]);
  }
  std::array<double, kKinds> scale{};
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    double extent = 0;
    for (std::size_t d = 0; d < 4; ++d) extent = std::max(extent, bounds[kind].hi[d] - bounds[kind].lo[d]);
    scale[kind] = kCells / (extent * (1 + 1e-9) + 1e-9);
  }

  struct Keyed {
    std::uint32_t key, index;
  };
  std::vector<Keyed> sorted(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto kind = static_cast<std::size_t>(kind_of(view.colors[i]));
    sorted[i] = {cell_key(points[i], static_cast<Kind>(kind), bounds[kind], scale[kind]),
                 static_cast<std::uint32_t>(i)};
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Keyed& a, const Keyed& b) { return a.key < b.key; });

  for (auto& column : tree.x) column.resize(n + kVectorPadding);
  tree.weight.resize(n);
  tree.order.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t from = sorted[i].index;
    tree.order[i] = sorted[i].index;
    tree.weight[i] = static_cast<double>(view.counts[from]);
    for (std::size_t d = 0; d < 4; ++d) tree.x[d][i] = points[from][d];
    tree.weighted_square += tree.weight[i] * squared_distance(points[from], Point{});
  }

  // Every run of equal keys is a leaf; of equal group bits, a group; of equal kind bits, a kind.
  std::vector<std::uint32_t> leaf_keys, group_keys;
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    while (end < n && sorted[end].key == sorted[begin].key) ++end;
    tree.leaves.push_back(over_colors(tree, begin, end));
    leaf_keys.push_back(sorted[begin].key >> 12);
  }
  for (std::size_t begin = 0, end = 0; begin < leaf_keys.size(); begin = end) {
    while (end < leaf_keys.size() && leaf_keys[end] == leaf_keys[begin]) ++end;
    tree.groups.push_back(over_children(tree.leaves, begin, end));
    group_keys.push_back(leaf_keys[begin] >> 8);
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
