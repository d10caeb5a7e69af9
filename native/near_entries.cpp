#include "near_entries.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace chromapress {

std::size_t Choices::place(std::uint8_t entry) const {
  for (std::size_t i = 0; i < n; ++i) {
    if (index[i] == entry) return i;
  }
  return kChoices;
}

NearEntries::NearEntries(std::span<const Rgba> palette, std::uint16_t limit) : neighbors_(palette.size()), limit_(limit) {
  for (const Rgba c : palette) points_.push_back(premultiply(c));
  for (std::size_t i = 0; i < palette.size(); ++i) {
    for (std::size_t j = 0; j < palette.size(); ++j) {
      if (kind_of(palette[j]) != kind_of(palette[i])) continue;
      neighbors_[i].push_back({static_cast<float>(std::sqrt(squared_distance(points_[i], points_[j]))),
                               static_cast<std::uint8_t>(j)});
    }
    std::sort(neighbors_[i].begin(), neighbors_[i].end(),
              [](const Neighbor& a, const Neighbor& b) { return a.distance != b.distance ? a.distance < b.distance : a.entry < b.entry; });
  }
}

Choices NearEntries::of(Rgba color, std::uint8_t nearest, double units_per_squared_level) const {
  const Point p = premultiply(color);
  const double least = squared_distance(p, points_[nearest]);
  const double own = std::sqrt(least), reach = std::sqrt(least + limit_ / units_per_squared_level) + own;
  Choices result;
  std::array<std::uint16_t, kChoices> excess{};
  for (const Neighbor& neighbor : neighbors_[nearest]) {
    if (neighbor.distance > reach) break;
    const double error = (squared_distance(p, points_[neighbor.entry]) - least) * units_per_squared_level;
    if (error > limit_) continue;
    const auto e = static_cast<std::uint16_t>(std::max(0.0, error));
    // Insertion, the smallest excess first.
    if (result.n == kChoices && e >= excess[kChoices - 1]) continue;
    std::size_t at = result.n < kChoices ? result.n++ : kChoices - 1;
    for (; at > 0 && excess[at - 1] > e; --at) {
      excess[at] = excess[at - 1];
      result.index[at] = result.index[at - 1];
    }
    excess[at] = e;
    result.index[at] = neighbor.entry;
  }
  result.excess = excess;
  return result;
}

}  // namespace chromapress
