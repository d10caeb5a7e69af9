#include <libdeflate.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

#include "check.hpp"
#include "png.hpp"

using namespace chromapress;

namespace {

std::size_t u32(const std::uint8_t* p) {
  return (std::size_t{p[0]} << 24) | (std::size_t{p[1]} << 16) | (std::size_t{p[2]} << 8) | p[3];
}

// A decoder of indexed PNGs that follows the specification step by step.
std::vector<Rgba> decode(const std::vector<std::uint8_t>& png, std::size_t width, std::size_t height) {
  std::size_t depth = 0;
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> raw;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t size = u32(&png[at]);
    const std::string type(png.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                           png.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    const std::uint8_t* data = png.data() + at + 8;
    CHECK(u32(data + size) == libdeflate_crc32(0, &png[at + 4], size + 4));
    if (type == "IHDR") {
      CHECK(u32(data) == width && u32(data + 4) == height && data[9] == 3);
      depth = data[8];
    } else if (type == "PLTE") {
      for (std::size_t i = 0; i < size; i += 3) palette.push_back({data[i], data[i + 1], data[i + 2], 255});
    } else if (type == "tRNS") {
      CHECK(size <= palette.size() && data[size - 1] != 255);
      for (std::size_t i = 0; i < size; ++i) palette[i].a = data[i];
    } else if (type == "IDAT") {
      raw.resize((width * depth + 7) / 8 * height + height);
      libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
      CHECK(libdeflate_zlib_decompress(decompressor, data, size, raw.data(), raw.size(), nullptr) ==
            LIBDEFLATE_SUCCESS);
      libdeflate_free_decompressor(decompressor);
    }
    at += 12 + size;
  }
  std::vector<Rgba> pixels;
  const std::size_t n = raw.size() / height;
  for (std::size_t y = 0; y < height; ++y) {
    std::uint8_t* row = &raw[y * n];
    for (std::size_t i = 1; i < n; ++i) {
      const int left = i > 1 ? row[i - 1] : 0;
      const int up = y > 0 ? raw[(y - 1) * n + i] : 0;
      const int corner = y > 0 && i > 1 ? raw[(y - 1) * n + i - 1] : 0;
      const int p = left + up - corner;
      const int dl = std::abs(p - left), du = std::abs(p - up), dc = std::abs(p - corner);
      const int paeth = dl <= du && dl <= dc ? left : du <= dc ? up : corner;
      const int prediction[] = {0, left, up, (left + up) / 2, paeth};
      row[i] = static_cast<std::uint8_t>(row[i] + prediction[row[0]]);
    }
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t bit = x * depth;
      const auto index = static_cast<std::size_t>(row[1 + bit / 8] >> (8 - depth - bit % 8)) & ((1u << depth) - 1);
      CHECK(index < palette.size());
      pixels.push_back(palette[index]);
    }
  }
  return pixels;
}

}  // namespace

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
        decode(encode_png({indices, width, height}, palette, 1 + round % 9), width, height);
    for (std::size_t i = 0; i < indices.size(); ++i) CHECK(decoded[i] == palette[indices[i]]);
  }
  const std::vector<std::uint8_t> one = {1};
  const std::vector<Rgba> single(1), many(257), two(2);
  CHECK_THROWS(encode_png({one, 1, 1}, single, 5));
  CHECK_THROWS(encode_png({one, 1, 1}, many, 5));
  CHECK_THROWS(encode_png({one, 1, 1}, two, 0));
  CHECK_THROWS(encode_png({{}, 0, 1}, two, 5));
}
