#include <random>
#include <stdexcept>

#include "decode_png.hpp"
#include "png.hpp"

using namespace chromapress;

int main() {
  std::mt19937 random(1);
  for (int round = 0; round < 90; ++round) {
    const std::size_t width = 1 + random() % 40, height = 1 + random() % 30, colors = 1 + random() % 256;
    std::vector<Rgba> palette(colors);
    for (Rgba& c : palette) {
      c = from_key(static_cast<std::uint32_t>(random()) | (round % 5 == 0 || random() % 2 == 0 ? 255u : 0u));
      // Greys, of ramps of all depths.
      constexpr int kSteps[] = {255, 85, 17, 1};
      const int step = kSteps[round / 5 % 4];
      const auto grey = static_cast<std::uint8_t>(c.r / step * step);
      if (round % 5 > 2) c = {grey, grey, grey, round % 5 == 3 ? c.a : std::uint8_t{255}};
    }
    std::vector<std::uint8_t> indices(width * height);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      indices[i] = static_cast<std::uint8_t>((round % 2 == 0 ? random() : i / 7) % colors);
    }
    const std::vector<Rgba> decoded =
        decode_png(encode_png({indices, width, height}, palette, 1 + round % 9), width, height);
    for (std::size_t i = 0; i < indices.size(); ++i) CHECK(decoded[i] == palette[indices[i]]);
  }
  // Large enough to be tried by parts: smooth and noisy, or stripes; opaque, or half of it translucent.
  for (const std::size_t colors : {16u, 64u, 256u}) {
    for (int round = 0; round < 16; ++round) {
      constexpr std::size_t kWidth = 421, kHeight = 311;
      std::vector<Rgba> palette(colors);
      for (std::size_t i = 0; i < colors; ++i) {
        palette[i] = from_key(static_cast<std::uint32_t>(random()) | (round % 4 < 2 || i % 2 == 0 ? 255u : 0u));
      }
      std::vector<std::uint8_t> indices(kWidth * kHeight);
      for (std::size_t i = 0; i < indices.size(); ++i) {
        const std::size_t x = i % kWidth, y = i / kWidth;
        const std::size_t value = round % 2 == 0 ? (x / 3 + y / 5 + random() % 4) : (x / 40 * y / 30);
        indices[i] = static_cast<std::uint8_t>(value % colors);
      }
      const auto decoded = decode_png(encode_png({indices, kWidth, kHeight}, palette, 1 + round / 2), kWidth, kHeight);
      for (std::size_t i = 0; i < indices.size(); ++i) CHECK(decoded[i] == palette[indices[i]]);
    }
  }
  const std::vector<std::uint8_t> one = {1};
  const std::vector<Rgba> single(1), many(257), two(2);
  CHECK_THROWS(encode_png({one, 1, 1}, single, 5));
  CHECK_THROWS(encode_png({one, 1, 1}, many, 5));
  CHECK_THROWS(encode_png({one, 1, 1}, two, 0));
  CHECK_THROWS(encode_png({{}, 0, 1}, two, 5));
}
