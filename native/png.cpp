#include "png.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include "png_layout.hpp"

namespace chromapress {
namespace {

// Entries keep their order, but those that are not opaque go first, so that tRNS stays short.
Indexed compact(const IndexMap& map, std::span<const Rgba> palette) {
  std::array<bool, kMaxColors> used{};
  for (const std::uint8_t i : map.indices) used[i] = true;
  Indexed result;
  std::array<std::uint8_t, kMaxColors> number{};
  for (const bool opaque : {false, true}) {
    for (std::size_t i = 0; i < kMaxColors; ++i) {
      if (!used[i]) continue;
      if (i >= palette.size()) throw std::invalid_argument("an index lies beyond the palette");
      if ((palette[i].a == 255) != opaque) continue;
      const auto at = std::find(result.palette.begin(), result.palette.end(), palette[i]);
      number[i] = static_cast<std::uint8_t>(at - result.palette.begin());
      if (at == result.palette.end()) result.palette.push_back(palette[i]);
    }
  }
  result.indices.assign(map.indices.begin(), map.indices.end());
  if (std::equal(palette.begin(), palette.end(), result.palette.begin(), result.palette.end())) return result;
  std::transform(map.indices.begin(), map.indices.end(), result.indices.begin(),
                 [&number](std::uint8_t i) { return number[i]; });
  return result;
}

void put_u32(std::vector<std::uint8_t>& out, std::size_t v) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(v >> shift));
}

void put_chunk(std::vector<std::uint8_t>& out, std::string_view type, std::span<const std::uint8_t> data) {
  put_u32(out, data.size());
  const std::size_t start = out.size();
  out.insert(out.end(), type.begin(), type.end());
  out.insert(out.end(), data.begin(), data.end());
  put_u32(out, libdeflate_crc32(0, out.data() + start, out.size() - start));
}

}  // namespace

std::vector<std::uint8_t> encode_png(const IndexMap& map, std::span<const Rgba> palette, int effort) {
  constexpr std::size_t kMaxSide = 0x7fffffff;
  if (effort < 1 || effort > 9) throw std::invalid_argument("effort must be from 1 to 9");
  if (map.width == 0 || map.height == 0 || map.width > kMaxSide || map.height > kMaxSide) {
    throw std::invalid_argument("a PNG has 1 to 2^31 - 1 rows and columns");
  }
  if (palette.empty() || palette.size() > kMaxColors) throw std::invalid_argument("a palette has 1 to 256 entries");
  const auto [written_palette, format, stream] = lay_out(compact(map, palette), map.width, effort);
  // An IDAT chunk holds less than 2^31 bytes; longer streams would need several.
  if (stream.size() > kMaxSide) throw std::invalid_argument("the image is too large for one PNG data chunk");

  std::vector<std::uint8_t> header, colors, alphas;
  put_u32(header, map.width);
  put_u32(header, map.height);
  for (const unsigned v : {format.depth, static_cast<unsigned>(format.type), 0u, 0u, 0u}) {
    header.push_back(static_cast<std::uint8_t>(v));
  }
  for (const Rgba c : written_palette) {
    colors.insert(colors.end(), {c.r, c.g, c.b});
    alphas.push_back(c.a);
  }
  while (!alphas.empty() && alphas.back() == 255) alphas.pop_back();

  std::vector<std::uint8_t> file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put_chunk(file, "IHDR", header);
  if (format.type == ColorType::indexed) {
    put_chunk(file, "PLTE", colors);
    if (!alphas.empty()) put_chunk(file, "tRNS", alphas);
  }
  put_chunk(file, "IDAT", stream);
  put_chunk(file, "IEND", {});
  return file;
}

}  // namespace chromapress
