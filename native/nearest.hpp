// The nearest of a few centres, for all colours of a box tree: exact, but most centres are ruled out a box at a time.
//
// A centre c may carry an offset v >= 0; its distance from x is then |x - c|^2 + v (a power diagram).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "box_tree.hpp"

namespace chromapress {

struct Centre {
  Point at{};
  Kind kind = Kind::opaque;
  double offset = 0;
};

/// Where a centre of a kind is best for some colours: at their mean, but opaque and transparent ones keep their alpha.
Point best_place(Kind kind, const Totals& totals);

struct Clusters {
  UnsetVector<std::uint8_t> labels;  // for each colour, in the tree's order, its centre
  std::vector<Totals> totals;        // for each centre, of its colours
};

/// The colours nearest to each centre (the first of equals). A colour sees only centres that it `may_become`, of which
/// there must be one. At most 256 centres.
Clusters nearest_clusters(const BoxTree& tree, std::span<const Centre> centres);

/// The labels alone.
UnsetVector<std::uint8_t> nearest_labels(const BoxTree& tree, std::span<const Centre> centres);

/// For each colour, in the tree's order, the distance to the nearest centre that is not its own, of whatever kind;
/// own[i] is a number of `centres`, of which there are at least two.
std::vector<double> nearest_others(const BoxTree& tree, std::span<const Centre> centres,
                                   std::span<const std::uint8_t> own);

/// For each point of a part the nearest centre that it may become, near ties either way, into labels[its number].
void nearest_to_points(const Points& points, const GroupRange& part, std::span<const Centre> centres,
                       std::span<std::uint8_t> labels);

}  // namespace chromapress
