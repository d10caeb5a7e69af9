#include <stdexcept>

#include "check.hpp"
#include "map.hpp"
#include "sample.hpp"

using namespace chromapress;

int main() {
  for (const std::size_t channels : {3u, 4u}) {
    const auto data = sample::image(50, 40, channels, 8);
    const Pixels pixels = sample::pixels(data, 50, channels);
    std::mt19937 random(4);
    std::vector<Rgba> palette = {{0, 0, 0, 0}, {5, 5, 5, 255}, {5, 5, 5, 100}};
    while (palette.size() < 200) {
      palette.push_back(from_key(static_cast<std::uint32_t>(random()) | (random() % 2 == 0 ? 255u : 0u)));
    }
    for (const ColorSpace space : {ColorSpace::srgb, ColorSpace::oklab}) {
      const std::vector<std::uint8_t> map = map_pixels(pixels, palette, space, 0);
      for (std::size_t i = 0; i < pixels.size(); ++i) {
        const Point x = to_space(premultiply(pixels.at(i)), space);
        std::size_t best = 0;
        double least = 1e300;
        for (std::size_t j = 0; j < palette.size(); ++j) {
          const double distance = squared_distance(x, to_space(premultiply(palette[j]), space));
          if (may_become(kind_of(pixels.at(i)), kind_of(palette[j])) && distance < least) {
            least = distance;
            best = j;
          }
        }
        CHECK(map[i] == best);
      }
      const std::vector<std::uint8_t> dithered = map_pixels(pixels, palette, space, 1);
      for (std::size_t i = 0; i < pixels.size(); ++i) {
        CHECK(may_become(kind_of(pixels.at(i)), kind_of(palette[dithered[i]])));
      }
    }
    // So many pixels that threads share them, and what they remember.
    const auto large = sample::image(700, 600, channels, 9);
    const Pixels many = sample::pixels(large, 700, channels);
    CHECK(map_pixels(many, palette, ColorSpace::srgb, 0, 4) == map_pixels(many, palette, ColorSpace::srgb, 0, 1));
    CHECK_THROWS(map_pixels(pixels, {}, ColorSpace::srgb, 0));
    CHECK_THROWS(map_pixels(pixels, palette, ColorSpace::srgb, 1.5));
    CHECK_THROWS(map_pixels(pixels, std::vector<Rgba>(3, Rgba{1, 2, 3, 0}), ColorSpace::srgb, 0));
  }
}
