#include "silhouette.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "nearest.hpp"

namespace chromapress {
namespace {

// The mean squared distance from x to the pixels of a cluster is |x - mean|^2 + variance: a centre whose offset is the
// variance, however many pixels the cluster has. Which cluster but one's own is the nearest is then a power diagram.
struct Spread {
  std::vector<Centre> centres;
  std::vector<double> weights;
  std::array<std::uint8_t, kMaxColors> of_label{};  // labels that are used, numbered from 0
};

bool has_one_label(const Box& leaf, std::span<const std::uint8_t> labels) {
  return std::memcmp(&labels[leaf.begin], &labels[leaf.begin] + 1, leaf.end - leaf.begin - 1) == 0;
}

// In several sums, which need not wait for each other.
double scatter_around(const Point& at, const BoxTree& tree, const Box& leaf) {
  std::array<double, 4> sums{};
  for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
    sums[i % 4] += tree.weight[i] * squared_distance(tree.point(i), at);
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

Spread clusters_of(const BoxTree& tree, std::span<const std::uint8_t> labels) {
  std::array<Totals, kMaxColors> totals{};
  for (const Box& leaf : tree.leaves) {
    if (has_one_label(leaf, labels)) {
      totals[labels[leaf.begin]].add(leaf.totals);
      continue;
    }
    for (std::size_t i = leaf.begin; i < leaf.end; ++i) totals[labels[i]].add(tree.weight[i], tree.point(i));
  }
  Spread clusters;
  for (std::size_t label = 0; label < kMaxColors; ++label) {
    if (!(totals[label].weight > 0)) continue;
    clusters.of_label[label] = static_cast<std::uint8_t>(clusters.centres.size());
    clusters.centres.push_back({totals[label].mean(), Kind::opaque, 0});
    clusters.weights.push_back(totals[label].weight);
  }
  // A second pass, around the mean, so that equal colours have a variance of exactly or nearly 0.
  for (const Box& leaf : tree.leaves) {
    if (has_one_label(leaf, labels)) {
      Centre& c = clusters.centres[clusters.of_label[labels[leaf.begin]]];
      c.offset += scatter_around(c.at, tree, leaf);
      continue;
    }
    for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
      Centre& c = clusters.centres[clusters.of_label[labels[i]]];
      c.offset += tree.weight[i] * squared_distance(tree.point(i), c.at);
    }
  }
  for (std::size_t j = 0; j < clusters.centres.size(); ++j) clusters.centres[j].offset /= clusters.weights[j];
  return clusters;
}

}  // namespace

double silhouette(const HistogramView& view, std::span<const std::uint8_t> labels) {
  validate(view);
  if (labels.size() != view.colors.size()) throw std::invalid_argument("labels and colors differ in length");
  const BoxTree tree = build_box_tree(view, ColorSpace::srgb);
  std::vector<std::uint8_t> ordered(labels.size());
  for (std::size_t i = 0; i < tree.size(); ++i) ordered[i] = labels[tree.order[i]];
  const double score = silhouette(tree, ordered);
  if (std::isnan(score)) throw std::invalid_argument("a silhouette needs at least two clusters");
  return score;
}

double silhouette(const BoxTree& tree, std::span<const std::uint8_t> labels) {
  const Spread clusters = clusters_of(tree, labels);
  if (clusters.centres.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  std::vector<std::uint8_t> own(tree.size());
  for (std::size_t i = 0; i < tree.size(); ++i) own[i] = clusters.of_label[labels[i]];
  const std::vector<double> others = nearest_others(tree, clusters.centres, own);

  double sum = 0, pixels = 0;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    pixels += tree.weight[i];
    const double size = clusters.weights[own[i]];
    if (size <= 1) continue;
    const Centre& c = clusters.centres[own[i]];
    // The pixel itself, at distance 0, does not count among its fellows.
    const double a = (squared_distance(tree.point(i), c.at) + c.offset) * (size / (size - 1)), b = others[i];
    if (a != b) sum += tree.weight[i] * (b - a) / std::max(a, b);
  }
  return sum / pixels;
}

}  // namespace chromapress
