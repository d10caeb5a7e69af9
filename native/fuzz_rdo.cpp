// libFuzzer: any bytes as an image, a palette and a strength; the map keeps kinds, entries and what is fixed.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "rdo.hpp"

using namespace chromapress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  const std::size_t channels = 3 + data[0] % 2, colors = 1 + std::size_t{data[1]}, fixed = data[2] % (colors + 1);
  // Wide ones too, whose rows are decided in parts.
  const std::size_t width = data[3] < 224 ? 1 + data[3] % 64 : std::size_t{data[3]} * 16 - 2560;
  const double strength = data[4] / 64.0 * (data[5] % 8 == 0 ? 25 : 1);
  if (size < 6 + 4 * colors + channels * width) return 0;
  std::vector<Rgba> palette;
  for (std::size_t i = 0; i < colors; ++i) {
    const std::uint8_t* p = data + 6 + 4 * i;
    palette.push_back({p[0], p[1], p[2], static_cast<std::uint8_t>(p[3] < 64 ? 0 : p[3] < 128 ? p[3] : 255)});
  }
  const std::span<const std::uint8_t> rest(data + 6 + 4 * colors, size - 6 - 4 * colors);
  const std::size_t height = rest.size() / (channels * width);
  const Pixels pixels{rest.first(width * height * channels), width, height, channels};
  Shaped shaped;
  try {
    shaped = map_rate_distortion(pixels, palette, fixed, strength);
  } catch (const std::invalid_argument&) {
    return 0;  // the palette has no entry of a pixel's kind
  }
  if (shaped.palette.size() != colors || shaped.indices.size() != pixels.size()) std::abort();
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (shaped.indices[i] >= colors) std::abort();
    if (!may_become(kind_of(pixels.at(i)), kind_of(shaped.palette[shaped.indices[i]]))) std::abort();
  }
  for (std::size_t i = 0; i < fixed; ++i) {
    if (std::find(shaped.palette.begin(), shaped.palette.end(), palette[i]) == shaped.palette.end()) std::abort();
  }
  return 0;
}
