#include <random>
#include <stdexcept>

#include "check.hpp"
#include "rdo.hpp"

using namespace chromapress;

// Any shape, palette and strength: indices stay below the palette's size and keep what is transparent or opaque.
int main() {
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    const std::size_t width = 1 + (round % 50 == 0 ? random() % 9000 : random() % 40), height = 1 + random() % 12;
    const std::size_t channels = 3 + random() % 2, colors = 3 + random() % (round % 2 == 0 ? 14 : 254);
    std::vector<std::uint8_t> data(width * height * channels);
    const unsigned step = 1 + random() % 128;
    for (std::uint8_t& v : data) v = static_cast<std::uint8_t>(random() % 2 == 0 ? 255 : random() / step % 256);
    std::vector<Rgba> palette(colors);
    for (Rgba& c : palette) c = from_key(static_cast<std::uint32_t>(random()) | 255u);
    palette[0].a = 0;
    palette[1].a = 100;
    const Pixels pixels{data, width, height, channels};
    const Shaped shaped = map_rate_distortion(pixels, palette, random() % colors, random() % 400 / 100.0);
    CHECK(shaped.palette.size() == colors && shaped.indices.size() == pixels.size());
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      CHECK(shaped.indices[i] < colors);
      CHECK(may_become(kind_of(pixels.at(i)), kind_of(shaped.palette[shaped.indices[i]])));
    }
  }
  const std::vector<std::uint8_t> one = {1, 2, 3};
  const std::vector<Rgba> palette = {{0, 0, 0, 255}};
  CHECK_THROWS(map_rate_distortion({one, 1, 1, 3}, palette, 2, 1));
  CHECK_THROWS(map_rate_distortion({one, 1, 1, 3}, palette, 0, -1));
  CHECK_THROWS(map_rate_distortion({one, 1, 1, 3}, {}, 0, 1));
}
