#include "png_format.hpp"

#include <algorithm>
#include <array>

#include "png_order.hpp"

namespace chromapress {
namespace {

bool is_grey(Rgba c) { return c.r == c.g && c.g == c.b; }

// Whether all levels are of the even ramp that has so many bits.
bool are_even(std::span<const Rgba> greys, unsigned depth) {
  const int step = 255 / ((1 << depth) - 1);
  return std::all_of(greys.begin(), greys.end(), [step](Rgba c) { return c.r % step == 0; });
}

}  // namespace

std::size_t channels(ColorType type) {
  switch (type) {
    case ColorType::grey_alpha:
      return 2;
    case ColorType::rgb:
      return 3;
    case ColorType::rgba:
      return 4;
    default:
      return 1;
  }
}

Format indexed_format(std::size_t colors) {
  return {ColorType::indexed, colors <= 2 ? 1u : colors <= 4 ? 2u : colors <= 16 ? 4u : 8u};
}

Format direct_format(std::span<const Rgba> palette) {
  const bool opaque = alpha_bytes(palette) == 0;
  if (!std::all_of(palette.begin(), palette.end(), is_grey)) return {opaque ? ColorType::rgb : ColorType::rgba, 8};
  if (!opaque) return {ColorType::grey_alpha, 8};
  unsigned depth = 1;
  while (!are_even(palette, depth)) depth *= 2;
  return {ColorType::grey, depth};
}

std::size_t palette_bytes(std::span<const Rgba> palette) {
  constexpr std::size_t kChunk = 12;  // length, type and sum
  const std::size_t alphas = alpha_bytes(palette);
  return kChunk + 3 * palette.size() + (alphas > 0 ? kChunk + alphas : 0);
}

std::size_t row_bytes(std::size_t width, Format format) {
  return (width * channels(format.type) * format.depth + 7) / 8;
}

std::size_t pixel_bytes(Format format) { return std::max<std::size_t>(1, channels(format.type) * format.depth / 8); }

std::vector<std::uint8_t> pack(std::span<const std::uint8_t> indices, std::size_t width, std::span<const Rgba> palette,
                               Format format) {
  // What each entry is written as.
  std::array<std::array<std::uint8_t, 4>, kMaxColors> samples{};
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const Rgba c = palette[i];
    switch (format.type) {
      case ColorType::indexed:
        samples[i] = {static_cast<std::uint8_t>(i)};
        break;
      case ColorType::grey:
        samples[i] = {static_cast<std::uint8_t>(c.r >> (8 - format.depth))};
        break;
      case ColorType::grey_alpha:
        samples[i] = {c.r, c.a};
        break;
      default:
        samples[i] = {c.r, c.g, c.b, c.a};
    }
  }
  const std::size_t n = channels(format.type), bytes = row_bytes(width, format), height = indices.size() / width;
  std::vector<std::uint8_t> packed(bytes * height, 0);
  if (format.depth == 8) {
    auto at = packed.begin();
    for (const std::uint8_t i : indices) at = std::copy_n(samples[i].begin(), n, at);
    return packed;
  }
  const std::size_t per_byte = 8 / format.depth, whole = width / per_byte;
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* from = &indices[y * width];
    std::uint8_t* to = &packed[y * bytes];
    const auto byte_of = [&](std::size_t count) {
      unsigned byte = 0;
      for (std::size_t i = 0; i < count; ++i) byte = byte << format.depth | samples[*from++][0];
      return static_cast<std::uint8_t>(byte << (format.depth * (per_byte - count)));
    };
    for (std::size_t i = 0; i < whole; ++i) to[i] = byte_of(per_byte);
    if (whole < bytes) to[whole] = byte_of(width - whole * per_byte);
  }
  return packed;
}

std::vector<std::uint8_t> unpack(std::span<const std::uint8_t> packed, std::size_t width, Format format) {
  const std::size_t bytes = row_bytes(width, format), height = packed.size() / bytes, per_byte = 8 / format.depth;
  std::vector<std::uint8_t> indices(width * height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const unsigned byte = packed[y * bytes + x / per_byte];
      const auto shift = static_cast<unsigned>(8 - format.depth * (x % per_byte + 1));
      indices[y * width + x] = static_cast<std::uint8_t>(byte >> shift & ((1u << format.depth) - 1));
    }
  }
  return indices;
}

}  // namespace chromapress
