#include "box_tree.hpp"

#include <algorithm>
#include <numeric>

#include "parallel.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kVectorPadding = 8;
// The space is cut into 32 cells a side: 3 bits for the group, 2 for the box in it.
constexpr unsigned kBoxBits = 2;
constexpr unsigned kCellBits = 5;
constexpr double kCellSide = 8;
// More parts than threads, since the colours of some take longer.
constexpr std::size_t kColorsPerPart = 16384;
constexpr std::size_t kMostParts = 16;
// Of Oklab's a and b, times 255, in the sRGB gamut, -80 is below the least.
constexpr double kOklabOffset = 80;

// From the top: kind, group, box. Boxes of a group and groups of a kind are neighbours in the order. Where all colours
// are opaque, their alpha is left out and the key is short enough to be sorted at once.
struct Keys {
  std::size_t dimensions = 4;
  std::vector<std::uint32_t> of;

  [[nodiscard]] unsigned group_shift() const { return static_cast<unsigned>(dimensions) * kBoxBits; }
  [[nodiscard]] unsigned kind_shift() const { return static_cast<unsigned>(dimensions) * kCellBits; }
};

template <std::size_t D>
std::uint32_t cell_key(const Point& p, double offset) {
  std::uint32_t group = 0, box = 0;
  for (std::size_t d = 0; d < D; ++d) {
    const double shifted = p[d] + (d == 1 || d == 2 ? offset : 0.0);
    const auto cell = static_cast<std::uint32_t>(static_cast<std::int32_t>(shifted * (1 / kCellSide)));
    group = (group << (kCellBits - kBoxBits)) | (cell >> kBoxBits);
    box = (box << kBoxBits) | (cell & ((1u << kBoxBits) - 1));
  }
  return (group << (D * kBoxBits)) | box;
}

// As cell_key<3>, of an opaque colour in sRGB.
std::uint32_t cell_key(Rgba c) {
  const std::uint32_t r = c.r, g = c.g, b = c.b;
  const std::uint32_t group = ((r >> 5) << 6) | ((g >> 5) << 3) | (b >> 5);
  const std::uint32_t box = (((r >> 3) & 3) << 4) | (((g >> 3) & 3) << 2) | ((b >> 3) & 3);
  return (group << (3 * kBoxBits)) | box;
}

// The positions of the keys, in the order of the keys: a stable counting sort by digits.
std::vector<std::uint32_t> sorted_positions(const std::vector<std::uint32_t>& keys, unsigned bits) {
  constexpr unsigned kMostBits = 15;
  const unsigned passes = (bits + kMostBits - 1) / kMostBits, digit = (bits + passes - 1) / passes;
  const std::uint32_t mask = (1u << digit) - 1;
  std::vector<std::uint32_t> order(keys.size()), sorted(keys.size()), starts;
  std::iota(order.begin(), order.end(), 0u);
  for (unsigned pass = 0; pass < passes; ++pass) {
    const unsigned shift = pass * digit;
    starts.assign(std::size_t{mask} + 2, 0);
    for (const std::uint32_t key : keys) ++starts[((key >> shift) & mask) + 1];
    for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    for (const std::uint32_t i : order) sorted[starts[(keys[i] >> shift) & mask]++] = i;
    order.swap(sorted);
  }
  return order;
}

// The box of a run of colours.
template <std::size_t D>
Box box_over(const BoxTree& tree, std::size_t begin, std::size_t end) {
  Box box{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), tree.point(begin), tree.point(begin), {}};
  for (std::size_t i = begin; i < end; ++i) box.totals.weight += tree.weight[i];
  for (std::size_t d = 0; d < D; ++d) {
    double lo = box.lo[d], hi = box.hi[d], sum = 0;
    const double* x = tree.x[d].data();
    for (std::size_t i = begin; i < end; ++i) {
      lo = std::min(lo, x[i]);
      hi = std::max(hi, x[i]);
      sum += tree.weight[i] * x[i];
    }
    box.lo[d] = lo;
    box.hi[d] = hi;
    box.totals.sum[d] = sum;
  }
  // Opaque colours have one alpha.
  if constexpr (D == 3) box.totals.sum[3] = box.lo[3] * box.totals.weight;
  return box;
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

void add_means(Points& points) {
  for (auto& column : points.mean) column.resize(points.size() + kVectorPadding);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point mean = points.totals[i].mean();
    for (std::size_t d = 0; d < 4; ++d) points.mean[d][i] = static_cast<float>(mean[d]);
  }
}

// The groups, cut where they reach another share of the colours.
std::vector<GroupRange> parts_of(const BoxTree& tree, std::size_t parts) {
  std::vector<GroupRange> ranges(parts);
  std::size_t group = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    ranges[part].begin = group;
    const std::size_t share = tree.size() * (part + 1) / parts;
    while (group < tree.groups.size() && tree.leaves[tree.groups[group].end - 1].end <= share) ++group;
    ranges[part].end = group;
  }
  return ranges;
}

Points without_points(const BoxTree& tree) {
  Points points;
  points.groups = tree.groups;
  points.kinds = tree.kinds;
  return points;
}

template <std::size_t D>
void add_halves(const BoxTree& tree, const Box& leaf, Points& points) {
  std::array<Totals, 1u << D> parts{};
  std::array<double, D> middle;
  for (std::size_t d = 0; d < D; ++d) middle[d] = 0.5 * (leaf.lo[d] + leaf.hi[d]);
  for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
    std::size_t part = 0;
    for (std::size_t d = 0; d < D; ++d) part = 2 * part + (tree.x[d][i] > middle[d] ? 1 : 0);
    parts[part].add(tree.weight[i], tree.point(i));
  }
  for (const Totals& part : parts) {
    if (part.weight > 0) points.totals.push_back(part);
  }
}

}  // namespace

Points points_of_leaves(const BoxTree& tree) {
  Points points = without_points(tree);
  for (const Box& leaf : tree.leaves) points.totals.push_back(leaf.totals);
  add_means(points);
  return points;
}

Points points_of_halved_leaves(const BoxTree& tree) {
  Points points = without_points(tree);
  points.totals.reserve(4 * tree.leaves.size());
  const Box& opaque = tree.kinds[static_cast<std::size_t>(Kind::opaque)];
  for (std::size_t g = 0; g < tree.groups.size(); ++g) {
    points.groups[g].begin = static_cast<std::uint32_t>(points.size());
    for (std::size_t l = tree.groups[g].begin; l < tree.groups[g].end; ++l) {
      if (g >= opaque.begin && g < opaque.end) {
        add_halves<3>(tree, tree.leaves[l], points);
      } else {
        add_halves<4>(tree, tree.leaves[l], points);
      }
    }
    points.groups[g].end = static_cast<std::uint32_t>(points.size());
  }
  add_means(points);
  return points;
}

Points points_of_colors(const BoxTree& tree) {
  Points points = without_points(tree);
  points.totals.resize(tree.size());
  for (std::size_t i = 0; i < tree.size(); ++i) points.totals[i].add(tree.weight[i], tree.point(i));
  for (Box& group : points.groups) {
    group.end = tree.leaves[group.end - 1].end;
    group.begin = tree.leaves[group.begin].begin;
  }
  add_means(points);
  return points;
}

Points points_of_clusters(std::span<const Totals> clusters, std::span<const Kind> kinds) {
  Points points;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    Box group;
    group.begin = static_cast<std::uint32_t>(points.size());
    for (std::size_t j = 0; j < clusters.size(); ++j) {
      if (kinds[j] != static_cast<Kind>(kind) || !(clusters[j].weight > 0)) continue;
      const Point mean = clusters[j].mean();
      if (points.size() == group.begin) group.lo = group.hi = mean;
      include(group, {0, 0, mean, mean, clusters[j]});
      points.totals.push_back(clusters[j]);
    }
    group.end = static_cast<std::uint32_t>(points.size());
    const auto begin = static_cast<std::uint32_t>(points.groups.size());
    if (group.end > group.begin) points.groups.push_back(group);
    points.kinds[kind] = over_children(points.groups, begin, points.groups.size());
  }
  add_means(points);
  return points;
}

BoxTree build_box_tree(const HistogramView& view, ColorSpace space, std::size_t threads) {
  const std::size_t n = view.colors.size();
  const std::size_t parts = std::clamp<std::size_t>(n / kColorsPerPart, 1, kMostParts);
  const auto in_parts = [&](std::size_t size, auto work) {
    in_parallel(parts, threads, [&](std::size_t part) { work(size * part / parts, size * (part + 1) / parts); });
  };
  BoxTree tree;
  tree.space = space;
  tree.threads = threads;
  const bool is_srgb = space == ColorSpace::srgb;
  std::vector<Point> converted(is_srgb ? 0 : n);  // sRGB is quicker computed twice than stored
  const auto point = [&](std::size_t i) { return is_srgb ? premultiply(view.colors[i]) : converted[i]; };
  Keys keys{.dimensions = 3, .of = std::vector<std::uint32_t>(n)};
  if (std::any_of(view.colors.begin(), view.colors.end(), [](Rgba c) { return c.a != 255; })) keys.dimensions = 4;
  in_parts(n, [&](std::size_t begin, std::size_t end) {
    const double offset = is_srgb ? 0 : kOklabOffset;
    for (std::size_t i = begin; i < end; ++i) {
      if (!is_srgb) converted[i] = to_space(premultiply(view.colors[i]), space);
      const auto kind = static_cast<std::uint32_t>(kind_of(view.colors[i]));
      keys.of[i] = keys.dimensions == 4 ? (kind << keys.kind_shift()) | cell_key<4>(point(i), offset)
                   : is_srgb            ? cell_key(view.colors[i])
                                        : cell_key<3>(point(i), offset);
    }
  });
  constexpr unsigned kKindBits = 2;
  tree.order = sorted_positions(keys.of, keys.kind_shift() + (keys.dimensions == 3 ? 0 : kKindBits));

  // Every run of equal keys is a leaf; of equal group bits, a group; of equal kind bits, a kind.
  const auto key = [&](std::size_t i) { return keys.of[tree.order[i]]; };
  std::vector<std::uint32_t> group_kinds;
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    while (end < n && key(end) == key(begin)) ++end;
    tree.leaves.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), {}, {}, {}});
  }
  for (auto& column : tree.x) column.resize(n + kVectorPadding);
  tree.weight.resize(n);
  in_parts(tree.leaves.size(), [&](std::size_t first, std::size_t last) {
    for (std::size_t l = first; l < last; ++l) {
      Box& leaf = tree.leaves[l];
      for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
        const Point p = point(tree.order[i]);
        for (std::size_t d = 0; d < 4; ++d) tree.x[d][i] = p[d];
        tree.weight[i] = static_cast<double>(view.counts[tree.order[i]]);
      }
      leaf = keys.dimensions == 3 ? box_over<3>(tree, leaf.begin, leaf.end) : box_over<4>(tree, leaf.begin, leaf.end);
    }
  });
  for (std::size_t begin = 0, end = 0; begin < tree.leaves.size(); begin = end) {
    const auto group_key = [&](std::size_t l) { return key(tree.leaves[l].begin) >> keys.group_shift(); };
    while (end < tree.leaves.size() && group_key(end) == group_key(begin)) ++end;
    tree.groups.push_back(over_children(tree.leaves, begin, end));
    group_kinds.push_back(keys.dimensions == 3 ? static_cast<std::uint32_t>(Kind::opaque)
                                               : group_key(begin) >> (keys.kind_shift() - keys.group_shift()));
  }
  std::size_t begin = 0;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    std::size_t end = begin;
    while (end < group_kinds.size() && group_kinds[end] == kind) ++end;
    tree.kinds[kind] = over_children(tree.groups, begin, end);
    begin = end;
  }
  tree.parts = parts_of(tree, parts);
  return tree;
}

}  // namespace chromapress
