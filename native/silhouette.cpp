#include "silhouette.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

namespace chromapress {
namespace {

// The mean squared distance from x to the pixels of a cluster is |x - mean|^2 + variance: one term per cluster, however
// many pixels it has.
struct Cluster {
  double weight = 0;
  Point mean{};
  double variance = 0;

  [[nodiscard]] double distance(const Point& x) const { return squared_distance(x, mean) + variance; }
};

std::vector<Cluster> clusters_of(const HistogramView& view, std::span<const std::uint8_t> labels,
                                 std::span<const Point> points) {
  std::vector<Cluster> all(kMaxColors);
  for (std::size_t i = 0; i < points.size(); ++i) {
    Cluster& c = all[labels[i]];
    const auto w = static_cast<double>(view.counts[i]);
    c.weight += w;
    for (std::size_t d = 0; d < 4; ++d) c.mean[d] += w * points[i][d];
  }
  for (Cluster& c : all) {
    for (double& v : c.mean) v = c.weight > 0 ? v / c.weight : 0;
  }
  // A second pass, around the mean, so that equal colours have a variance of exactly or nearly 0.
  for (std::size_t i = 0; i < points.size(); ++i) {
    Cluster& c = all[labels[i]];
    c.variance += static_cast<double>(view.counts[i]) * squared_distance(points[i], c.mean);
  }
  for (Cluster& c : all) c.variance = c.weight > 0 ? c.variance / c.weight : 0;
  return all;
}

}  // namespace

double silhouette(const HistogramView& view, std::span<const std::uint8_t> labels) {
  validate(view);
  if (labels.size() != view.colors.size()) throw std::invalid_argument("labels and colors differ in length");
  std::vector<Point> points(view.colors.size());
  std::transform(view.colors.begin(), view.colors.end(), points.begin(), premultiply);
  const std::vector<Cluster> by_label = clusters_of(view, labels, points);
  std::vector<std::size_t> used;
  for (std::size_t j = 0; j < by_label.size(); ++j) {
    if (by_label[j].weight > 0) used.push_back(j);
  }
  if (used.size() < 2) throw std::invalid_argument("a silhouette needs at least two clusters");

  double sum = 0, pixels = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto w = static_cast<double>(view.counts[i]);
    pixels += w;
    const Cluster& own = by_label[labels[i]];
    if (own.weight <= 1) continue;
    // The pixel itself, at distance 0, does not count among its fellows.
    const double a = own.distance(points[i]) * (own.weight / (own.weight - 1));
    double b = std::numeric_limits<double>::infinity();
    for (const std::size_t j : used) {
      if (j != labels[i]) b = std::min(b, by_label[j].distance(points[i]));
    }
    if (a != b) sum += w * (b - a) / std::max(a, b);
  }
  return sum / pixels;
}

}  // namespace chromapress
