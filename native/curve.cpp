#include "curve.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "nearest.hpp"
#include "parallel.hpp"
#include "silhouette.hpp"

namespace chromapress {
namespace {

// Of a palette with entries as in `palette`, mapped in the space of `tree`, measured in sRGB.
double error_of(const HistogramView& view, const BoxTree& tree, std::span<const Rgba> palette) {
  std::vector<Centre> entries;
  std::vector<Point> points;
  for (const Rgba c : palette) {
    points.push_back(premultiply(c));
    entries.push_back({to_space(points.back(), tree.space), kind_of(c), 0});
  }
  const UnsetVector<std::uint8_t> labels = nearest_labels(tree, entries);
  std::array<double, 4> error{};  // several sums, which need not wait for each other
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const Point x = tree.space == ColorSpace::srgb ? tree.point(i) : premultiply(view.colors[tree.order[i]]);
    error[i % 4] += tree.weight[i] * squared_distance(x, points[labels[i]]);
  }
  return (error[0] + error[1]) + (error[2] + error[3]);
}

KMeansOptions for_finest(KMeansOptions options) {
  if (!options.start.empty()) throw std::invalid_argument("a curve has no start");
  options.k = kMaxColors;
  options.max_iterations = {};
  return options;
}

std::vector<Kind> kinds_of(std::span<const Centre> centres) {
  std::vector<Kind> kinds;
  for (const Centre& c : centres) kinds.push_back(c.kind);
  return kinds;
}

}  // namespace

Curve::Curve(const HistogramView& view, const KMeansOptions& options)
    : kmeans_(view, for_finest(options)),
      finest_(kmeans_.cluster()),
      merges_(finest_.centres, finest_.clusters.totals, options.protected_colors.size()),
      coarse_(points_of_clusters(finest_.clusters.totals, kinds_of(finest_.centres))) {
  if (options.space != ColorSpace::srgb) elsewhere_ = build_box_tree(view, ColorSpace::srgb);
}

KMeans::Result Curve::cluster(std::size_t k) const {
  const std::size_t fixed = kmeans_.options().protected_colors.size();
  if (k < 1 || k > kMaxColors) throw std::invalid_argument("k must be from 1 to 256");
  if (k < fixed) throw std::invalid_argument("there are more protected colors than k");
  if (k >= finest_.centres.size()) return finest_;
  std::vector<Centre> start = merges_.centres(k);
  start.resize(k);  // the protected colours alone, where these are k
  return kmeans_.cluster_quickly(std::move(start), coarse_);
}

std::vector<ScoredClustering> Curve::scored(std::span<const std::size_t> ks, std::size_t threads) const {
  if (ks.empty()) throw std::invalid_argument("there must be at least one k");
  const BoxTree& tree = kmeans_.tree();
  std::vector<ScoredClustering> candidates(ks.size());
  Team(std::min(ks.size(), thread_count(threads)))(ks.size(), [&](std::size_t n) {
    const KMeans::Result result = cluster(ks[n]);
    ScoredClustering& candidate = candidates[n];
    candidate.clustering = kmeans_.clustering(result);
    std::vector<Rgba> palette;
    for (const Point& p : candidate.clustering.centres) palette.push_back(to_straight(p));
    candidate.error = error_of(kmeans_.histogram(), tree, palette);
    if (tree.space == ColorSpace::srgb) {
      candidate.silhouette = silhouette(tree, result.clusters.labels);
      return;
    }
    std::vector<std::uint8_t> labels(elsewhere_.size());
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = candidate.clustering.labels[elsewhere_.order[i]];
    candidate.silhouette = silhouette(elsewhere_, labels);
  });
  return candidates;
}

}  // namespace chromapress
