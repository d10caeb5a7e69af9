#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "check.hpp"
#include "near_entries.hpp"

using namespace chromapress;

// Against all combinations.
void bytes_of_several_pixels() {
  std::mt19937 random(6);
  for (int round = 0; round < 3000; ++round) {
    const unsigned depth = 1u << random() % 3;
    std::vector<Choices> pixels(1 + random() % (8 / depth));
    std::vector<std::pair<unsigned, unsigned>> all = {{0, 0}};  // excess and byte
    for (std::size_t p = 0; p < pixels.size(); ++p) {
      std::vector<unsigned> entries(1u << depth);
      std::iota(entries.begin(), entries.end(), 0u);
      std::shuffle(entries.begin(), entries.end(), random);
      pixels[p].n = 1 + random() % entries.size();
      unsigned excess = 0;
      for (std::size_t i = 0; i < pixels[p].n; ++i, excess += random() % 100) {
        pixels[p].index[i] = static_cast<std::uint8_t>(entries[i]);
        pixels[p].excess[i] = static_cast<std::uint16_t>(excess);
      }
      std::vector<std::pair<unsigned, unsigned>> next;
      for (const auto& [sum, byte] : all) {
        for (std::size_t i = 0; i < pixels[p].n; ++i) {
          next.emplace_back(sum + pixels[p].excess[i], byte | entries[i] << (8 - depth * (p + 1)));
        }
      }
      all.swap(next);
    }
    const Choices choices = together(pixels, depth);
    std::sort(all.begin(), all.end());
    CHECK(choices.n == std::min(all.size(), kChoices));
    for (std::size_t i = 0; i < choices.n; ++i) {
      CHECK(choices.excess[i] == all[i].first);
      CHECK(choices.place(choices.index[i]) == i);
      CHECK(std::count(all.begin(), all.end(), std::pair<unsigned, unsigned>{choices.excess[i], choices.index[i]}) ==
            1);
    }
  }
}

// Against all entries, for opaque and translucent colours.
int main() {
  bytes_of_several_pixels();
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
