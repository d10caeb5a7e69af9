#include "near_entries.hpp"

#include <algorithm>
#include <cmath>

namespace chromapress {

Choices together(std::span<const Choices> pixels, unsigned depth) {
  Choices result;
  result.index.fill(0);
  result.excess.fill(0);
  result.n = 1;
  unsigned shift = 8;
  for (const Choices& pixel : pixels) {
    shift -= depth;
    const Choices before = result;
    result.n = 0;
    for (std::size_t a = 0; a < before.n; ++a) {
      for (std::size_t b = 0; b < pixel.n; ++b) {
        const auto excess = static_cast<std::uint16_t>(before.excess[a] + pixel.excess[b]);
        if (result.n == kChoices && excess >= result.excess[kChoices - 1]) break;
        std::size_t at = result.n < kChoices ? result.n++ : kChoices - 1;
        for (; at > 0 && result.excess[at - 1] > excess; --at) {
          result.excess[at] = result.excess[at - 1];
          result.index[at] = result.index[at - 1];
        }
        result.excess[at] = excess;
        result.index[at] = static_cast<std::uint8_t>(before.index[a] | pixel.index[b] << shift);
      }
    }
  }
  for (std::size_t i = result.n; i < kChoices; ++i) {
    result.index[i] = result.index[0];
    result.excess[i] = result.excess[result.n - 1];
  }
  return result;
}

NearEntries::NearEntries(std::span<const Rgba> palette) : lists_(palette.size()) {
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const Point own = premultiply(palette[i]);
    for (std::size_t j = 0; j < palette.size(); ++j) {
      const Point p = premultiply(palette[j]);
      lists_[i].push_back(
          {{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]), static_cast<float>(p[3])},
           static_cast<float>(std::sqrt(squared_distance(own, p))),
           static_cast<std::uint8_t>(j),
           kind_of(palette[j])});
    }
    std::stable_sort(lists_[i].begin(), lists_[i].end(), [i](const Entry& a, const Entry& b) {
      return a.distance < b.distance || (a.distance == b.distance && a.index == i && b.index != i);
    });
  }
}

Choices NearEntries::of(Rgba color, std::uint8_t nearest, float weight, std::uint16_t limit) const {
  const Kind kind = kind_of(color);
  const Point p = premultiply(color);
  const std::array<float, 4> q = {static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]),
                                  static_cast<float>(p[3])};
  const auto error_of = [&q](const Entry& e) {
    const float d0 = e.point[0] - q[0], d1 = e.point[1] - q[1], d2 = e.point[2] - q[2], d3 = e.point[3] - q[3];
    return d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3;
  };
  const std::vector<Entry>& list = lists_[nearest];
  const float least = error_of(list[0]), most = least + static_cast<float>(limit) / weight;
  // By the triangle inequality nothing farther from the nearest entry can be near enough.
  const float reach = std::sqrt(most) + std::sqrt(least);
  std::array<float, kChoices> errors;
  Choices result;
  result.n = 0;
  for (const Entry& entry : list) {
    if (entry.distance > reach) break;
    if (!may_become(kind, entry.kind)) continue;
    const float error = error_of(entry);
    if (error > most || (result.n == kChoices && error >= errors[kChoices - 1])) continue;
    std::size_t at = result.n < kChoices ? result.n++ : kChoices - 1;
    for (; at > 0 && errors[at - 1] > error; --at) {
      errors[at] = errors[at - 1];
      result.index[at] = result.index[at - 1];
    }
    errors[at] = error;
    result.index[at] = entry.index;
  }
  for (std::size_t i = 0; i < kChoices; ++i) {
    if (i >= result.n) result.index[i] = result.index[0];
    result.excess[i] = i < result.n ? static_cast<std::uint16_t>(std::max(0.0f, (errors[i] - least) * weight)) : limit;
  }
  return result;
}

}  // namespace chromapress
