#include <algorithm>
#include <random>

#include "check.hpp"
#include "near_entries.hpp"

using namespace chromapress;

// Against all entries, for opaque and translucent colours.
int main() {
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    std::vector<Rgba> palette(1 + random() % 60);
    const unsigned spread = 1 + random() % 256;
    for (Rgba& c : palette) c = from_key(static_cast<std::uint32_t>(random()) | (random() % 3 == 0 ? 0 : 255));
    for (Rgba& c : palette)
      c.r = static_cast<std::uint8_t>(c.r % spread), c.g = static_cast<std::uint8_t>(c.g % spread);
    Rgba color = palette[random() % palette.size()];
    color.r = static_cast<std::uint8_t>(color.r + random() % 40);
    const float weight = static_cast<float>(1 + random() % 1000) / 500;
    const auto limit = static_cast<std::uint16_t>(random() % 2000);

    std::vector<double> errors;
    std::size_t nearest = palette.size();
    for (std::size_t i = 0; i < palette.size(); ++i) {
      const bool kept = may_become(kind_of(color), kind_of(palette[i]));
      errors.push_back(kept ? squared_distance(premultiply(palette[i]), premultiply(color)) : 1e9);
      if (kept && (nearest == palette.size() || errors[i] < errors[nearest])) nearest = i;
    }
    const auto excess = [&](std::size_t i) { return (errors[i] - errors[nearest]) * static_cast<double>(weight); };
    const Choices choices = NearEntries(palette).of(color, static_cast<std::uint8_t>(nearest), weight, limit);
    CHECK(choices.n >= 1 && choices.n <= kChoices);
    CHECK(excess(choices.index[0]) < 0.01);
    for (std::size_t i = 0; i < choices.n; ++i) {
      CHECK(choices.place(choices.index[i]) == i);
      CHECK(may_become(kind_of(color), kind_of(palette[choices.index[i]])));
      CHECK(std::abs(choices.excess[i] - excess(choices.index[i])) <= 1.01);
      CHECK(i == 0 || choices.excess[i] >= choices.excess[i - 1]);
    }
    // What is not among them is too far, or there are as many as can be and none is farther.
    for (std::size_t i = 0; i < palette.size(); ++i) {
      if (choices.place(static_cast<std::uint8_t>(i)) != kChoices) continue;
      const double farthest = choices.n == kChoices ? excess(choices.index[kChoices - 1]) : limit;
      CHECK(excess(i) > farthest - 0.01);
    }
  }
}
