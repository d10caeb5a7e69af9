#include "curve.hpp"

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
  const std::vector<std::uint8_t> labels = nearest_labels(tree, entries);
  double error = 0;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const Point x = tree.space == ColorSpace::srgb ? tree.point(i) : premultiply(view.colors[tree.order[i]]);
    error += tree.weight[i] * squared_distance(x, points[labels[i]]);
  }
  return error;
}

}  // namespace

std::vector<ScoredClustering> curve(const HistogramView& view, std::span<const std::size_t> ks,
                                    const KMeansOptions& options) {
  if (ks.empty()) throw std::invalid_argument("there must be at least one k");
  if (!options.start.empty()) throw std::invalid_argument("a curve has no start");
  KMeansOptions of_each = options;
  of_each.threads = 1;  // each k has a thread
  const KMeans kmeans(view, of_each, ks);
  const bool is_srgb = options.space == ColorSpace::srgb;
  const BoxTree elsewhere = is_srgb ? BoxTree{} : build_box_tree(view, ColorSpace::srgb);
  std::vector<ScoredClustering> candidates(ks.size());
  in_parallel(ks.size(), thread_count(options.threads), [&](std::size_t n) {
    const KMeans::Result result = kmeans.cluster(ks[n]);
    ScoredClustering& candidate = candidates[n];
    candidate.clustering = kmeans.clustering(result);
    std::vector<Rgba> palette;
    for (const Point& p : candidate.clustering.centres) palette.push_back(to_straight(p));
    candidate.error = error_of(view, kmeans.tree(), palette);
    if (is_srgb) {
      candidate.silhouette = silhouette(kmeans.tree(), result.labels);
      return;
    }
    std::vector<std::uint8_t> labels(elsewhere.size());
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = candidate.clustering.labels[elsewhere.order[i]];
    candidate.silhouette = silhouette(elsewhere, labels);
  });
  return candidates;
}

}  // namespace chromapress
