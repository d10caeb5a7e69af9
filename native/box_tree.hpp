// The colours of a histogram, sorted into boxes: kinds, groups of boxes, boxes of about 8^3 levels.
//
// Whole boxes are ruled in or out of a question ("is this centre the nearest to any of these colours?"), and their
// totals answer for all their colours at once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "histogram.hpp"
#include "parallel.hpp"
#include "unset_vector.hpp"

namespace chromapress {

/// The weight of some colours and the sum of their weighted points.
struct Totals {
  double weight = 0;
  Point sum{};

  void add(const Totals& other) {
    weight += other.weight;
    for (std::size_t d = 0; d < 4; ++d) sum[d] += other.sum[d];
  }
  void add(double w, const Point& p) {
    weight += w;
    for (std::size_t d = 0; d < 4; ++d) sum[d] += w * p[d];
  }
  [[nodiscard]] Point mean() const { return {sum[0] / weight, sum[1] / weight, sum[2] / weight, sum[3] / weight}; }
};

/// A run [begin, end) of what the level below holds, its tight bounds and its totals.
struct Box {
  std::uint32_t begin = 0, end = 0;
  Point lo{}, hi{};
  Totals totals;
};

struct GroupRange {
  std::size_t begin = 0, end = 0;
};

struct BoxTree {
  ColorSpace space = ColorSpace::srgb;
  std::array<UnsetVector<double>, 4> x;  // coordinates in `space`, in the tree's order, padded for vector loads
  UnsetVector<double> weight;
  UnsetVector<std::uint32_t> order;  // position in the histogram
  std::vector<Box> leaves;           // runs of colours
  std::vector<Box> groups;           // runs of leaves
  std::array<Box, kKinds> kinds;     // runs of groups
  std::vector<GroupRange> parts;     // at least one, of about as many colours; what is summed is summed by part
  std::shared_ptr<Team> team;        // that works on the parts

  [[nodiscard]] std::size_t size() const { return order.size(); }
  [[nodiscard]] Point point(std::size_t i) const { return {x[0][i], x[1][i], x[2][i], x[3][i]}; }
  [[nodiscard]] bool has(Kind kind) const {
    const Box& box = kinds[static_cast<std::size_t>(kind)];
    return box.end > box.begin;
  }
};

/// Points that stand for colours: the means of leaves, of parts of them, of clusters, or the colours themselves.
struct Points {
  std::array<UnsetVector<float>, 4> mean;  // padded for vector loads
  UnsetVector<Totals> totals;
  std::vector<Box> groups;        // runs of points
  std::array<Box, kKinds> kinds;  // runs of groups

  [[nodiscard]] std::size_t size() const { return totals.size(); }
};

/// So many parts, of about as many points; some may be empty.
std::vector<GroupRange> parts_of(const Points& points, std::size_t parts);

/// In the order of the tree, as the next two.
Points points_of_leaves(const BoxTree& tree);
/// One for each part that is not empty when a leaf is cut in the middle of each axis.
Points points_of_halved_leaves(const BoxTree& tree);
Points points_of_colors(const BoxTree& tree);
/// One for each cluster that is not empty, of the colours of its kind.
Points points_of_clusters(std::span<const Totals> clusters, std::span<const Kind> kinds);

/// The tree does not depend on the number of threads.
BoxTree build_box_tree(const HistogramView& view, ColorSpace space, std::size_t threads = 1);

}  // namespace chromapress
