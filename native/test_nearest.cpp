#include <limits>
#include <stdexcept>

#include "check.hpp"
#include "nearest.hpp"
#include "sample.hpp"

using namespace chromapress;

namespace {

std::uint8_t by_definition(const Point& x, Kind kind, const std::vector<Centre>& centres) {
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = 0;
  for (std::size_t j = 0; j < centres.size(); ++j) {
    const double distance = squared_distance(x, centres[j].at) + centres[j].offset;
    if (may_become(kind, centres[j].kind) && distance < least) {
      least = distance;
      best = j;
    }
  }
  return static_cast<std::uint8_t>(best);
}

void others_match_the_definition(const BoxTree& tree, const std::vector<Centre>& centres, std::mt19937& random) {
  std::vector<std::uint8_t> own(tree.size());
  for (std::uint8_t& label : own) label = static_cast<std::uint8_t>(random() % centres.size());
  const std::vector<double> others = nearest_others(tree, centres, own);
  for (std::size_t i = 0; i < tree.size(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < centres.size(); ++j) {
      if (j != own[i]) least = std::min(least, squared_distance(tree.point(i), centres[j].at) + centres[j].offset);
    }
    CHECK(others[i] == least);
  }
}

void matches_the_definition(std::size_t channels, std::size_t k, ColorSpace space, double offsets, unsigned seed) {
  const auto data = sample::image(90, 70, channels, seed);
  const Histogram h = histogram(sample::pixels(data, 90, channels));
  const BoxTree tree = build_box_tree({h.colors, h.counts}, space);
  std::mt19937 random(seed);
  std::vector<Centre> centres = {{to_space({9, 9, 9, 255}, space), Kind::opaque, 0},
                                 {to_space({9, 9, 9, 99}, space), Kind::translucent, 0},
                                 {{}, Kind::transparent, 0}};
  while (centres.size() < k) {
    const std::size_t i = random() % tree.size();
    const Point at = tree.point(i);
    // Integer coordinates, so that there are ties.
    centres.push_back({at, kind_of(at), offsets * static_cast<double>(random() % 100)});
  }
  const UnsetVector<std::uint8_t> labels = nearest_labels(tree, centres);
  const auto [same_labels, totals] = nearest_clusters(tree, centres);
  CHECK(same_labels == labels);
  std::vector<double> weight(centres.size());
  for (std::size_t i = 0; i < tree.size(); ++i) {
    CHECK(labels[i] == by_definition(tree.point(i), kind_of(tree.point(i)), centres));
    weight[labels[i]] += tree.weight[i];
  }
  others_match_the_definition(tree, centres, random);
  // Without the three that are not of colours: where the image is opaque, all of them are.
  if (k > 4) others_match_the_definition(tree, {centres.begin() + 3, centres.end()}, random);
  for (std::size_t j = 0; j < centres.size(); ++j) CHECK(totals[j].weight == weight[j]);
}

}  // namespace

int main() {
  unsigned seed = 0;
  for (const std::size_t channels : {3u, 4u}) {
    for (const std::size_t k : {3u, 4u, 17u, 100u, 256u}) {
      for (const double offsets : {0.0, 1.0, 30.0}) {
        matches_the_definition(channels, k, ColorSpace::srgb, offsets, ++seed);
        matches_the_definition(channels, k, ColorSpace::oklab, offsets, ++seed);
      }
    }
  }
}
