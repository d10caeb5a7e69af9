#include "png.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>

#include "palette_order.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// What the file will hold: a palette without duplicates or unused entries, and the indices into it.
struct Indexed {
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> indices;
  std::size_t width = 0, height = 0;

  // order[position] = entry
  void reorder(std::span<const std::uint8_t> order) {
    std::vector<Rgba> reordered;
    std::array<std::uint8_t, kMaxColors> position{};
    for (std::size_t i = 0; i < order.size(); ++i) {
      reordered.push_back(palette[order[i]]);
      position[order[i]] = static_cast<std::uint8_t>(i);
    }
    palette.swap(reordered);
    for (std::uint8_t& i : indices) i = position[i];
  }
};

double luma(Rgba c) { return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b; }

bool is_opaque(Rgba c) { return c.a == 255; }

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
    if (is_opaque(a) != is_opaque(b)) return is_opaque(b);
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
  result.width = map.width;
  result.height = map.height;
  return result;
}

unsigned bit_depth(std::size_t colors) { return colors <= 2 ? 1 : colors <= 4 ? 2 : colors <= 16 ? 4 : 8; }

// The rows as PNG packs them, without filter bytes.
struct Rows {
  std::vector<std::uint8_t> bytes;
  std::size_t row_bytes = 0;
};

Rows pack(const Indexed& image, unsigned depth) {
  if (depth == 8) return {image.indices, image.width};
  const std::size_t per_byte = 8 / depth, row_bytes = (image.width + per_byte - 1) / per_byte;
  Rows rows{std::vector<std::uint8_t>(row_bytes * image.height, 0), row_bytes};
  for (std::size_t y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < image.width; ++x) {
      const auto shift = static_cast<unsigned>(8 - depth * (x % per_byte + 1));
      rows.bytes[y * row_bytes + x / per_byte] |=
          static_cast<std::uint8_t>(image.indices[y * image.width + x] << shift);
    }
  }
  return rows;
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

// What an effort means for an image of so many colours.
struct Plan {
  OrderSearch order;
  std::vector<RowFilter> filters;
  int level = 6;             // libdeflate's, 1 to 12
  bool all_in_full = false;  // compress all filters' rows, at all depths, and take the smallest
};

Plan plan_for(int effort, std::size_t colors) {
  using enum RowFilter;
  const bool packed = colors <= 16, few = colors <= 128;
  const std::vector<RowFilter> usual = packed ? std::vector{none} : std::vector{none, entropy};
  switch (effort) {
    case 1:
      if (packed) return {{0, 0, 0}, {none}, 1};
      return few ? Plan{{0, 0, 0}, {none}, 6} : Plan{{4, 1, 0}, {sub}, 1};
    case 2:
      return {{4, 1, 0}, packed ? usual : std::vector{none, sub}, 5};
    case 3:
      return {{2, 2, 0}, usual, 7};
    case 4:
      return {{1, 3, 20'000}, usual, 9};
    case 5:
      return {{1, 3, 50'000}, usual, packed ? 11 : 10};
    case 6:
      return {{1, 3, 200'000}, {none, sub, entropy}, 11};
    case 7:
      return {{1, 3, 1'000'000}, {none, sub, entropy}, 12};
    case 8:
      return {{1, 3, 2'000'000}, {none, entropy}, 12, true};
    default:
      return {{1, 3, 5'000'000}, {none, sub, up, paeth, minimum_sum, entropy}, 12, true};
  }
}

// A quarter of the rows, in bands, so that matches with the rows above are found.
Rows sample_of(const Rows& rows) {
  constexpr std::size_t kBand = 16, kEvery = 4;
  Rows sample{{}, rows.row_bytes};
  const std::size_t height = rows.bytes.size() / rows.row_bytes;
  if (height <= kBand * kEvery) return rows;
  for (std::size_t y = 0; y < height; y += kBand * kEvery) {
    const auto begin = rows.bytes.begin() + static_cast<std::ptrdiff_t>(y * rows.row_bytes);
    const auto end = rows.bytes.begin() + static_cast<std::ptrdiff_t>(std::min(y + kBand, height) * rows.row_bytes);
    sample.bytes.insert(sample.bytes.end(), begin, end);
  }
  return sample;
}

// The filter that does best on a sample, at a quicker level.
RowFilter likely_best(const Rows& rows, const Plan& plan) {
  if (plan.filters.size() == 1) return plan.filters[0];
  constexpr int kTrialLevel = 6;
  // The optimal parsing of the higher levels gains more on filtered rows than the trial shows.
  const double favour = plan.level >= 10 ? 0.985 : 1.0;
  const Rows sample = sample_of(rows);
  RowFilter best = RowFilter::none;
  double least = 0;
  for (const RowFilter filter : plan.filters) {
    const std::vector<std::uint8_t> filtered = filter_rows(sample.bytes, sample.row_bytes, filter);
    const double size = static_cast<double>(deflate(filtered, std::min(kTrialLevel, plan.level)).size()) *
                        (filter == RowFilter::none ? 1.0 : favour);
    if (filter == plan.filters[0] || size < least) {
      best = filter;
      least = size;
    }
  }
  return best;
}

struct Stream {
  std::vector<std::uint8_t> data;
  unsigned depth = 8;
};

Stream smallest_stream(const Indexed& image, const Plan& plan) {
  const unsigned least_depth = bit_depth(image.palette.size());
  Stream best{{}, least_depth};
  for (const unsigned depth : {least_depth, 8u}) {
    if (depth != least_depth && (!plan.all_in_full || best.depth == 8)) break;
    const Rows rows = pack(image, depth);
    const std::vector<RowFilter> filters =
        plan.all_in_full ? plan.filters : std::vector<RowFilter>{likely_best(rows, plan)};
    for (const RowFilter filter : filters) {
      std::vector<std::uint8_t> data = deflate(filter_rows(rows.bytes, rows.row_bytes, filter), plan.level);
      if (best.data.empty() || data.size() < best.data.size()) best = {std::move(data), depth};
    }
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
  Indexed image = compact(map, palette);
  Plan plan = plan_for(effort, image.palette.size());
  // Small images have little to gain.
  plan.order.proposals = std::min(plan.order.proposals, 16 * image.indices.size());
  if (plan.order.row_step > 0 && image.palette.size() > 2) {
    const auto head = static_cast<std::size_t>(std::find_if(image.palette.begin(), image.palette.end(), is_opaque) -
                                               image.palette.begin());
    image.reorder(palette_order(image.indices, image.width, image.palette.size(), head, plan.order));
  }
  const Stream stream = smallest_stream(image, plan);
  // An IDAT chunk holds less than 2^31 bytes; longer streams would need several.
  if (stream.data.size() > kMaxSide) throw std::invalid_argument("the image is too large for one PNG data chunk");

  std::vector<std::uint8_t> header, colors, alphas;
  put_u32(header, map.width);
  put_u32(header, map.height);
  for (const unsigned v : {stream.depth, 3u, 0u, 0u, 0u}) header.push_back(static_cast<std::uint8_t>(v));
  for (const Rgba c : image.palette) {
    colors.insert(colors.end(), {c.r, c.g, c.b});
    alphas.push_back(c.a);
  }
  while (!alphas.empty() && alphas.back() == 255) alphas.pop_back();

  std::vector<std::uint8_t> file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put_chunk(file, "IHDR", header);
  put_chunk(file, "PLTE", colors);
  if (!alphas.empty()) put_chunk(file, "tRNS", alphas);
  put_chunk(file, "IDAT", stream.data);
  put_chunk(file, "IEND", {});
  return file;
}

}  // namespace chromapress
