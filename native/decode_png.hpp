// For the tests: a decoder of our PNGs that follows the specification step by step.
#pragma once

#include <libdeflate.h>

#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "check.hpp"
#include "color.hpp"

namespace chromapress {

inline std::size_t u32(const std::uint8_t* p) {
  return (std::size_t{p[0]} << 24) | (std::size_t{p[1]} << 16) | (std::size_t{p[2]} << 8) | p[3];
}

/// The zlib stream's `size` bytes.
inline std::vector<std::uint8_t> inflated(std::span<const std::uint8_t> stream, std::size_t size) {
  std::vector<std::uint8_t> data(size);
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  CHECK(libdeflate_zlib_decompress(decompressor, stream.data(), stream.size(), data.data(), size, nullptr) ==
        LIBDEFLATE_SUCCESS);
  libdeflate_free_decompressor(decompressor);
  return data;
}

/// Takes the row filters off, in place; `step` is the distance of a byte from the one to its left.
inline void unfilter(std::vector<std::uint8_t>& raw, std::size_t height, std::size_t step) {
  const std::size_t n = raw.size() / height;
  for (std::size_t y = 0; y < height; ++y) {
    std::uint8_t* row = &raw[y * n];
    for (std::size_t i = 1; i < n; ++i) {
      const int left = i > step ? row[i - step] : 0;
      const int up = y > 0 ? raw[(y - 1) * n + i] : 0;
      const int corner = y > 0 && i > step ? raw[(y - 1) * n + i - step] : 0;
      const int p = left + up - corner;
      const int dl = std::abs(p - left), du = std::abs(p - up), dc = std::abs(p - corner);
      const int paeth = dl <= du && dl <= dc ? left : du <= dc ? up : corner;
      const int prediction[] = {0, left, up, (left + up) / 2, paeth};
      row[i] = static_cast<std::uint8_t>(row[i] + prediction[row[0]]);
    }
  }
}

inline std::vector<Rgba> decode_png(const std::vector<std::uint8_t>& png, std::size_t width, std::size_t height) {
  constexpr std::size_t kChannels[] = {1, 0, 3, 1, 2, 0, 4};
  std::size_t depth = 0, type = 0;
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> raw;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t size = u32(&png[at]);
    const std::string name(png.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                           png.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    const std::uint8_t* data = png.data() + at + 8;
    CHECK(u32(data + size) == libdeflate_crc32(0, &png[at + 4], size + 4));
    if (name == "IHDR") {
      CHECK(u32(data) == width && u32(data + 4) == height);
      depth = data[8];
      type = data[9];
      CHECK(type <= 6 && kChannels[type] > 0 && (depth == 8 || type == 0 || type == 3));
    } else if (name == "PLTE") {
      CHECK(type == 3);
      for (std::size_t i = 0; i < size; i += 3) palette.push_back({data[i], data[i + 1], data[i + 2], 255});
    } else if (name == "tRNS") {
      CHECK(size <= palette.size() && data[size - 1] != 255);
      for (std::size_t i = 0; i < size; ++i) palette[i].a = data[i];
    } else if (name == "IDAT") {
      raw = inflated({data, size}, ((width * kChannels[type] * depth + 7) / 8 + 1) * height);
    }
    at += 12 + size;
  }
  const std::size_t channels = kChannels[type];
  unfilter(raw, height, depth < 8 ? 1 : channels);
  std::vector<Rgba> pixels;
  const std::size_t n = raw.size() / height;
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* row = &raw[y * n] + 1;
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint8_t* p = row + x * channels;
      if (type == 2) pixels.push_back({p[0], p[1], p[2], 255});
      if (type == 4) pixels.push_back({p[0], p[0], p[0], p[1]});
      if (type == 6) pixels.push_back({p[0], p[1], p[2], p[3]});
      if (type != 0 && type != 3) continue;
      const std::size_t bit = x * depth;
      const auto value = static_cast<std::size_t>(row[bit / 8] >> (8 - depth - bit % 8)) & ((1u << depth) - 1);
      if (type == 3) {
        CHECK(value < palette.size());
        pixels.push_back(palette[value]);
      } else {
        const auto grey = static_cast<std::uint8_t>(value * 255 / ((1u << depth) - 1));
        pixels.push_back({grey, grey, grey, 255});
      }
    }
  }
  return pixels;
}

}  // namespace chromapress
