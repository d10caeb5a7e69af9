#include "png.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>

namespace chromapress {
namespace {

// What the file will hold: a palette without duplicates or unused entries, and the indices into it.
struct Indexed {
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> indices;
};

double luma(Rgba c) { return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b; }

Indexed compact(const IndexMap& map, std::span<const Rgba> palette) {
  std::array<bool, kMaxColors> used{};
  for (const std::uint8_t i : map.indices) used[i] = true;
  Indexed result;
  for (std::size_t i = 0; i < kMaxColors; ++i) {
    if (!used[i]) continue;
    if (i >= palette.size()) throw std::invalid_argument("an index lies beyond the palette");
    result.palette.push_back(palette[i]);
  }
  // Entries that are not opaque first, so that tRNS stays short; by lightness, since neighbours mostly are alike in it.
  std::sort(result.palette.begin(), result.palette.end(), [](Rgba a, Rgba b) {
    if ((a.a == 255) != (b.a == 255)) return b.a == 255;
    return luma(a) != luma(b) ? luma(a) < luma(b) : a < b;
  });
  result.palette.erase(std::unique(result.palette.begin(), result.palette.end()), result.palette.end());
  std::array<std::uint8_t, kMaxColors> number{};
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const auto at = std::find(result.palette.begin(), result.palette.end(), palette[i]);
    if (used[i]) number[i] = static_cast<std::uint8_t>(at - result.palette.begin());
  }
  result.indices.resize(map.indices.size());
  std::transform(map.indices.begin(), map.indices.end(), result.indices.begin(),
                 [&number](std::uint8_t i) { return number[i]; });
  return result;
}

unsigned bit_depth(std::size_t colors) { return colors <= 2 ? 1 : colors <= 4 ? 2 : colors <= 16 ? 4 : 8; }

// The rows as PNG packs them, without filter bytes.
std::vector<std::uint8_t> pack(const Indexed& image, std::size_t width, std::size_t height, unsigned depth) {
  if (depth == 8) return image.indices;
  const std::size_t per_byte = 8 / depth, row_bytes = (width + per_byte - 1) / per_byte;
  std::vector<std::uint8_t> packed(row_bytes * height, 0);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const auto shift = static_cast<unsigned>(8 - depth * (x % per_byte + 1));
      packed[y * row_bytes + x / per_byte] |= static_cast<std::uint8_t>(image.indices[y * width + x] << shift);
    }
  }
  return packed;
}

std::uint8_t paeth(int left, int up, int up_left) {
  const int p = left + up - up_left;
  const int dl = std::abs(p - left), du = std::abs(p - up), dc = std::abs(p - up_left);
  return static_cast<std::uint8_t>(dl <= du && dl <= dc ? left : du <= dc ? up : up_left);
}

void filter_row(int type, const std::uint8_t* row, const std::uint8_t* above, std::size_t n, std::uint8_t* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const int left = i > 0 ? row[i - 1] : 0, up = above[i], up_left = i > 0 ? above[i - 1] : 0;
    int prediction = 0;
    if (type == 1) prediction = left;
    if (type == 2) prediction = up;
    if (type == 3) prediction = (left + up) / 2;
    if (type == 4) prediction = paeth(left, up, up_left);
    out[i] = static_cast<std::uint8_t>(row[i] - prediction);
  }
}

enum class Filter : std::uint8_t { none, sub, up, average, paeth, minimum_sum };

std::vector<std::uint8_t> filtered(const std::vector<std::uint8_t>& packed, std::size_t height, Filter filter) {
  const std::size_t n = packed.size() / height;
  std::vector<std::uint8_t> result((n + 1) * height), trial(n);
  const std::vector<std::uint8_t> zeros(n, 0);
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* row = packed.data() + y * n;
    const std::uint8_t* above = y > 0 ? row - n : zeros.data();
    std::uint8_t* out = result.data() + y * (n + 1);
    if (filter != Filter::minimum_sum) {
      out[0] = static_cast<std::uint8_t>(filter);
      filter_row(out[0], row, above, n, out + 1);
      continue;
    }
    std::int64_t least = -1;
    for (int type = 0; type < 5; ++type) {
      filter_row(type, row, above, n, trial.data());
      std::int64_t sum = 0;
      for (const std::uint8_t v : trial) sum += std::abs(static_cast<std::int8_t>(v));
      if (least >= 0 && sum >= least) continue;
      least = sum;
      out[0] = static_cast<std::uint8_t>(type);
      std::copy(trial.begin(), trial.end(), out + 1);
    }
  }
  return result;
}

using Compressor = std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)>;

std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> data, int level) {
  const Compressor compressor(libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  std::vector<std::uint8_t> out(libdeflate_zlib_compress_bound(compressor.get(), data.size()));
  out.resize(libdeflate_zlib_compress(compressor.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
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

std::vector<std::uint8_t> smallest_stream(const std::vector<std::uint8_t>& packed, std::size_t height, unsigned depth,
                                          int effort) {
  static constexpr std::array<int, 9> kLevels = {1, 3, 5, 6, 8, 9, 10, 11, 12};
  const int level = kLevels[static_cast<std::size_t>(effort - 1)];
  std::vector<std::uint8_t> best = deflate(filtered(packed, height, Filter::none), level);
  if (depth < 8 && effort < 7) return best;
  std::vector<Filter> others;
  if (effort >= 3) others = {Filter::sub};
  if (effort >= 5) others = {Filter::sub, Filter::minimum_sum};
  if (effort >= 8) others = {Filter::sub, Filter::up, Filter::average, Filter::paeth, Filter::minimum_sum};
  for (const Filter filter : others) {
    std::vector<std::uint8_t> other = deflate(filtered(packed, height, filter), level);
    if (other.size() < best.size()) best.swap(other);
  }
  return best;
}

}  // namespace

std::vector<std::uint8_t> encode_png(const IndexMap& map, std::span<const Rgba> palette, int effort) {
  constexpr std::size_t kMaxSide = 0x7fffffff;
  if (effort < 1 || effort > 9) throw std::invalid_argument("effort must be from 1 to 9");
  if (map.width == 0 || map.height == 0 || map.width > kMaxSide || map.height > kMaxSide) {
    throw std::invalid_argument("a PNG has 1 to 2^31 - 1 rows and columns");
  }
  if (palette.empty() || palette.size() > kMaxColors) throw std::invalid_argument("a palette has 1 to 256 entries");
  const Indexed image = compact(map, palette);
  const unsigned depth = bit_depth(image.palette.size());
  const std::vector<std::uint8_t> stream =
      smallest_stream(pack(image, map.width, map.height, depth), map.height, depth, effort);
  // An IDAT chunk holds less than 2^31 bytes; longer streams would need several.
  if (stream.size() > kMaxSide) throw std::invalid_argument("the image is too large for one PNG data chunk");

  std::vector<std::uint8_t> header, colors, alphas;
  put_u32(header, map.width);
  put_u32(header, map.height);
  for (const unsigned v : {depth, 3u, 0u, 0u, 0u}) header.push_back(static_cast<std::uint8_t>(v));
  for (const Rgba c : image.palette) {
    colors.insert(colors.end(), {c.r, c.g, c.b});
    alphas.push_back(c.a);
  }
  while (!alphas.empty() && alphas.back() == 255) alphas.pop_back();

  std::vector<std::uint8_t> file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put_chunk(file, "IHDR", header);
  put_chunk(file, "PLTE", colors);
  if (!alphas.empty()) put_chunk(file, "tRNS", alphas);
  put_chunk(file, "IDAT", stream);
  put_chunk(file, "IEND", {});
  return file;
}

}  // namespace chromapress
