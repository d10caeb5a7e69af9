#include <random>
#include <stdexcept>

#include "decode_png.hpp"
#include "png.hpp"

using namespace chromapress;

int main() {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    const std::size_t width = 1 + random() % 40, height = 1 + random() % 30, colors = 1 + random() % 256;
    std::vector<Rgba> palette(colors);
    for (Rgba& c : palette) c = from_key(static_cast<std::uint32_t>(random()) | (random() % 2 == 0 ? 255u : 0u));
    std::vector<std::uint8_t> indices(width * height);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      indices[i] = static_cast<std::uint8_t>((round % 2 == 0 ? random() : i / 7) % colors);
    }
    const std::vector<Rgba> decoded =
        decode_png(encode_png({indices, width, height}, palette, 1 + round % 9), width, height);
    for (std::size_t i = 0; i < indices.size(); ++i) CHECK(decoded[i] == palette[indices[i]]);
  }
  const std::vector<std::uint8_t> one = {1};
  const std::vector<Rgba> single(1), many(257), two(2);
  CHECK_THROWS(encode_png({one, 1, 1}, single, 5));
  CHECK_THROWS(encode_png({one, 1, 1}, many, 5));
  CHECK_THROWS(encode_png({one, 1, 1}, two, 0));
  CHECK_THROWS(encode_png({{}, 0, 1}, two, 5));
}
