#include "box_tree.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "parallel.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kVectorPadding = 16;
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
  UnsetVector<std::uint32_t> of;

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

// The positions of the keys in the order of their last bits: a stable counting sort by digits, of each slab by itself.
UnsetVector<std::uint32_t> sorted_positions(const UnsetVector<std::uint32_t>& keys, unsigned bits,
                                            std::span<const std::size_t> slabs, Team& team) {
  constexpr unsigned kMostBits = 15;
  const unsigned passes = (bits + kMostBits - 1) / kMostBits, digit = (bits + passes - 1) / passes;
  const std::uint32_t mask = (1u << digit) - 1;
  UnsetVector<std::uint32_t> order(keys.size()), sorted(keys.size());
  team(slabs.size() - 1, [&](std::size_t slab) {
    const std::size_t begin = slabs[slab], end = slabs[slab + 1];
    std::uint32_t *from = order.data(), *to = sorted.data();
    std::vector<std::uint32_t> starts;
    std::iota(from + begin, from + end, static_cast<std::uint32_t>(begin));
    for (unsigned pass = 0; pass < passes; ++pass) {
      const unsigned shift = pass * digit;
      starts.assign(std::size_t{mask} + 2, 0);
      starts[0] = static_cast<std::uint32_t>(begin);
      for (std::size_t i = begin; i < end; ++i) ++starts[((keys[i] >> shift) & mask) + 1];
      for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
      for (std::size_t n = begin; n < end; ++n) to[starts[(keys[from[n]] >> shift) & mask]++] = from[n];
      std::swap(from, to);
    }
  });
  if (passes % 2 == 1) order.swap(sorted);
  return order;
}

// Where the keys of opaque colours in sRGB ascend from one slab to the next, as the colours are in order: by red.
std::vector<std::size_t> slabs_of(std::span<const Rgba> colors) {
  std::vector<std::size_t> slabs = {0};
  for (unsigned red = 32; red < 256; red += 32) {
    const auto begin = std::partition_point(colors.begin(), colors.end(), [red](Rgba c) { return c.r < red; });
    slabs.push_back(static_cast<std::size_t>(begin - colors.begin()));
  }
  slabs.push_back(colors.size());
  return slabs;
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

void find_means(Points& points, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    const Point mean = points.totals[i].mean();
    for (std::size_t d = 0; d < 4; ++d) points.mean[d][i] = static_cast<float>(mean[d]);
  }
}

template <typename T>
void resize_padded(UnsetVector<T>& column, std::size_t size) {
  column.resize(size + kVectorPadding);
  std::fill(column.end() - kVectorPadding, column.end(), T{});
}

void resize(Points& points, std::size_t size) {
  points.totals.resize(size);
  for (auto& column : points.mean) resize_padded(column, size);
}

// `groups` up to `count`, cut where they reach another share of what they hold: end_of(g) is where the last of it ends.
template <typename EndOf>
std::vector<GroupRange> cut_groups(std::size_t count, std::size_t parts, EndOf end_of) {
  std::vector<GroupRange> ranges(parts);
  const std::size_t size = count == 0 ? 0 : end_of(count - 1);
  std::size_t group = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    ranges[part].begin = group;
    const std::size_t share = size * (part + 1) / parts;
    while (group < count && end_of(group) <= share) ++group;
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
void add_halves(const BoxTree& tree, const Box& leaf, std::vector<Totals>& points) {
  std::array<Totals, 1u << D> parts{};
  std::array<double, D> middle;
  for (std::size_t d = 0; d < D; ++d) middle[d] = 0.5 * (leaf.lo[d] + leaf.hi[d]);
  for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
    std::size_t part = 0;
    for (std::size_t d = 0; d < D; ++d) part = 2 * part + (tree.x[d][i] > middle[d] ? 1 : 0);
    parts[part].add(tree.weight[i], tree.point(i));
  }
  for (const Totals& part : parts) {
    if (part.weight > 0) points.push_back(part);
  }
}

}  // namespace

std::vector<GroupRange> parts_of(const Points& points, std::size_t parts) {
  return cut_groups(points.groups.size(), parts, [&points](std::size_t g) { return points.groups[g].end; });
}

Points points_of_leaves(const BoxTree& tree) {
  Points points = without_points(tree);
  resize(points, tree.leaves.size());
  for (std::size_t l = 0; l < tree.leaves.size(); ++l) points.totals[l] = tree.leaves[l].totals;
  find_means(points, 0, points.size());
  return points;
}

Points points_of_halved_leaves(const BoxTree& tree) {
  Points points = without_points(tree);
  const Box& opaque = tree.kinds[static_cast<std::size_t>(Kind::opaque)];
  std::vector<std::vector<Totals>> of_part(tree.parts.size());
  (*tree.team)(tree.parts.size(), [&](std::size_t part) {
    std::vector<Totals>& halves = of_part[part];
    halves.reserve(4 * (tree.leaves.size() / tree.parts.size() + 1));
    for (std::size_t g = tree.parts[part].begin; g < tree.parts[part].end; ++g) {
      points.groups[g].begin = static_cast<std::uint32_t>(halves.size());
      for (std::size_t l = tree.groups[g].begin; l < tree.groups[g].end; ++l) {
        if (g >= opaque.begin && g < opaque.end) {
          add_halves<3>(tree, tree.leaves[l], halves);
        } else {
          add_halves<4>(tree, tree.leaves[l], halves);
        }
      }
      points.groups[g].end = static_cast<std::uint32_t>(halves.size());
    }
  });
  std::vector<std::size_t> starts(tree.parts.size() + 1);
  for (std::size_t part = 0; part < tree.parts.size(); ++part) starts[part + 1] = starts[part] + of_part[part].size();
  resize(points, starts.back());
  (*tree.team)(tree.parts.size(), [&](std::size_t part) {
    std::copy(of_part[part].begin(), of_part[part].end(),
              points.totals.begin() + static_cast<std::ptrdiff_t>(starts[part]));
    find_means(points, starts[part], starts[part + 1]);
    for (std::size_t g = tree.parts[part].begin; g < tree.parts[part].end; ++g) {
      points.groups[g].begin += static_cast<std::uint32_t>(starts[part]);
      points.groups[g].end += static_cast<std::uint32_t>(starts[part]);
    }
  });
  return points;
}

Points points_of_colors(const BoxTree& tree) {
  Points points = without_points(tree);
  for (Box& group : points.groups) {
    group.end = tree.leaves[group.end - 1].end;
    group.begin = tree.leaves[group.begin].begin;
  }
  resize(points, tree.size());
  const std::size_t parts = tree.parts.size();
  (*tree.team)(parts, [&](std::size_t part) {
    const std::size_t begin = tree.size() * part / parts, end = tree.size() * (part + 1) / parts;
    for (std::size_t i = begin; i < end; ++i) {
      points.totals[i] = {};
      points.totals[i].add(tree.weight[i], tree.point(i));
    }
    find_means(points, begin, end);
  });
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
  for (auto& column : points.mean) resize_padded(column, points.size());
  find_means(points, 0, points.size());
  return points;
}

BoxTree build_box_tree(const HistogramView& view, ColorSpace space, std::size_t threads) {
  const std::size_t n = view.colors.size();
  const std::size_t parts = std::clamp<std::size_t>(n / kColorsPerPart, 1, kMostParts);
  BoxTree tree;
  tree.space = space;
  tree.team = std::make_shared<Team>(std::min(threads, parts));
  const auto in_parts = [&](std::size_t size, auto work) {
    (*tree.team)(parts, [&](std::size_t part) { work(size * part / parts, size * (part + 1) / parts); });
  };
  const bool is_srgb = space == ColorSpace::srgb;
  std::vector<Point> converted(is_srgb ? 0 : n);  // sRGB is quicker computed twice than stored
  const auto point = [&](std::size_t i) { return is_srgb ? premultiply(view.colors[i]) : converted[i]; };
  Keys keys{.dimensions = 3, .of = UnsetVector<std::uint32_t>(n)};
  std::uint8_t alpha = 255;  // the bits that all have
  for (const Rgba c : view.colors) alpha &= c.a;
  if (alpha != 255) keys.dimensions = 4;
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
  constexpr unsigned kKindBits = 2, kRedBits = kCellBits - kBoxBits;
  if (keys.dimensions == 3 && is_srgb) {
    tree.order = sorted_positions(keys.of, keys.kind_shift() - kRedBits, slabs_of(view.colors), *tree.team);
  } else {
    const unsigned bits = keys.kind_shift() + (keys.dimensions == 3 ? 0 : kKindBits);
    tree.order = sorted_positions(keys.of, bits, std::array{std::size_t{0}, n}, *tree.team);
  }

  // Every run of equal keys is a leaf; of equal group bits, a group; of equal kind bits, a kind.
  constexpr std::uint32_t kNoKey = ~0u;
  const auto key = [&](std::size_t i) { return keys.of[tree.order[i]]; };
  std::vector<std::uint32_t> group_kinds;
  std::vector<std::vector<std::uint32_t>> of_parts(parts);
  (*tree.team)(parts, [&](std::size_t part) {
    std::vector<std::uint32_t> found;
    const std::size_t begin = n * part / parts, end = n * (part + 1) / parts;
    std::uint32_t last = begin == 0 ? kNoKey : key(begin - 1);
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint32_t here = key(i);
      if (here != last) found.push_back(static_cast<std::uint32_t>(i));
      last = here;
    }
    of_parts[part] = std::move(found);
  });
  std::vector<std::uint32_t> begins;  // of the leaves, and where the last ends
  for (const auto& of_part : of_parts) begins.insert(begins.end(), of_part.begin(), of_part.end());
  begins.push_back(static_cast<std::uint32_t>(n));
  tree.leaves.resize(begins.size() - 1);
  for (auto& column : tree.x) resize_padded(column, n);
  tree.weight.resize(n);
  in_parts(tree.leaves.size(), [&](std::size_t first, std::size_t last) {
    for (std::size_t l = first; l < last; ++l) {
      const std::size_t begin = begins[l], end = begins[l + 1];
      for (std::size_t i = begin; i < end; ++i) {
        const Point p = point(tree.order[i]);
        for (std::size_t d = 0; d < 4; ++d) tree.x[d][i] = p[d];
        tree.weight[i] = static_cast<double>(view.counts[tree.order[i]]);
      }
      tree.leaves[l] = keys.dimensions == 3 ? box_over<3>(tree, begin, end) : box_over<4>(tree, begin, end);
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
  tree.parts =
      cut_groups(tree.groups.size(), parts, [&tree](std::size_t g) { return tree.leaves[tree.groups[g].end - 1].end; });
  return tree;
}

}  // namespace chromapress
