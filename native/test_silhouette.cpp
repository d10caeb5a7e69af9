#include <cmath>
#include <stdexcept>

#include "check.hpp"
#include "sample.hpp"
#include "silhouette.hpp"

using namespace chromapress;

namespace {

double by_definition(const Pixels& pixels, const Histogram& h, const std::vector<std::uint8_t>& labels, std::size_t k) {
  std::vector<Point> points;
  std::vector<std::size_t> label;
  for (std::size_t i = 0; i < h.colors.size(); ++i) {
    for (std::int64_t c = 0; c < h.counts[i]; ++c) {
      points.push_back(premultiply(h.colors[i]));
      label.push_back(labels[i]);
    }
  }
  CHECK(points.size() == pixels.size());
  std::vector<double> size(k);
  for (const std::size_t l : label) ++size[l];
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<double> distance(k);
    for (std::size_t j = 0; j < points.size(); ++j) distance[label[j]] += squared_distance(points[i], points[j]);
    if (size[label[i]] == 1) continue;
    const double a = distance[label[i]] / (size[label[i]] - 1);
    double b = 1e300;
    for (std::size_t j = 0; j < k; ++j) {
      if (j != label[i] && size[j] > 0) b = std::min(b, distance[j] / size[j]);
    }
    if (a != b) sum += (b - a) / std::max(a, b);
  }
  return sum / static_cast<double>(points.size());
}

}  // namespace

int main() {
  for (const std::size_t channels : {3u, 4u}) {
    const auto data = sample::image(24, 18, channels, 2);
    const Pixels pixels = sample::pixels(data, 24, channels);
    const Histogram h = histogram(pixels);
    for (const std::size_t k : {2u, 3u, 11u}) {
      std::vector<std::uint8_t> labels;
      for (std::size_t i = 0; i < h.colors.size(); ++i) labels.push_back(static_cast<std::uint8_t>(h.colors[i].r % k));
      CHECK(std::abs(silhouette({h.colors, h.counts}, labels) - by_definition(pixels, h, labels, k)) < 1e-9);
    }
    CHECK_THROWS(silhouette({h.colors, h.counts}, std::vector<std::uint8_t>(h.colors.size(), 7)));
    CHECK_THROWS(silhouette({h.colors, h.counts}, std::vector<std::uint8_t>(2, 7)));
  }
}
