// What the encoders' fuzz targets make of any bytes: a palette and an index map.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "check.hpp"
#include "color.hpp"
#include "index_map.hpp"

namespace chromapress {

struct FuzzMap {
  std::size_t width = 0, height = 0;  // height 0: too few bytes
  int effort = 1;
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> indices;

  explicit FuzzMap(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < 4) return;
    width = 1 + bytes[0];
    effort = 1 + bytes[2] % 9;
    const int colors = bytes[2] / 9 % 4;
    palette.resize(1 + std::size_t{bytes[1]});
    bytes = bytes.subspan(3);
    if (bytes.size() < 4 * palette.size()) return;
    for (std::size_t i = 0; i < palette.size(); ++i) {
      const std::uint8_t* p = &bytes[4 * i];
      palette[i] = {p[0], p[1], p[2], p[3]};
      // Of all kinds that are written differently: any, greys, opaque, opaque greys of an even ramp.
      if (colors == 1) palette[i].g = palette[i].b = p[0];
      if (colors == 2) palette[i].a = 255;
      if (colors == 3) {
        const auto grey = static_cast<std::uint8_t>(p[0] / 17 * 17);
        palette[i] = {grey, grey, grey, 255};
      }
    }
    bytes = bytes.subspan(4 * palette.size());
    height = bytes.size() / width;
    indices.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(width * height));
    for (std::uint8_t& i : indices) i = static_cast<std::uint8_t>(i % palette.size());
  }

  [[nodiscard]] IndexMap map() const { return {indices, width, height}; }
  [[nodiscard]] std::vector<Rgba> pixels() const {
    std::vector<Rgba> result(indices.size());
    std::transform(indices.begin(), indices.end(), result.begin(), [this](std::uint8_t i) { return palette[i]; });
    return result;
  }
};

}  // namespace chromapress
