#include "png.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <stdexcept>
#include <string_view>

#include "deflate.hpp"
#include "palette_order.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// What the file will hold: a palette without duplicates or unused entries, and the indices into it.
struct Indexed {
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> indices;
};

// libdeflate's level, or where it is 0, trials of our own.
struct Coder {
  int level;
  Trials trials;
};

std::vector<std::uint8_t> stream_of(std::span<const std::uint8_t> data, const Coder& coder) {
  return coder.level > 0 ? deflate(data, coder.level) : deflate_small(data, coder.trials);
}

// What effort buys.
struct Plan {
  std::size_t counted_rows;       // one in so many rows counts for the order of the palette
  std::size_t exchanges;          // tried for the order, for each pair of entries, in quarters
  std::size_t tried_rows;         // one in so many rows is deflated to choose order and filtering; 0: no choice
  std::size_t finalists;          // are then deflated whole, so that the choice is among them
  Coder packed, plain, filtered;  // for several pixels in a byte; for one, unfiltered and filtered

  [[nodiscard]] const Coder& unfiltered(std::size_t colors) const { return colors <= 16 ? packed : plain; }
};

constexpr Coder level(int n) { return {n, {}}; }
constexpr Coder own(std::size_t depth, std::size_t passes) { return {0, {depth, passes}}; }

constexpr std::array<Plan, 9> kPlans = {{{8, 1, 0, 1, level(3), level(5), level(1)},
                                         {4, 2, 8, 1, level(5), level(5), level(3)},
                                         {2, 4, 8, 1, level(6), level(6), level(6)},
                                         {2, 4, 8, 1, level(8), level(8), own(2, 1)},
                                         {2, 8, 8, 1, level(12), level(10), own(4, 1)},
                                         {1, 16, 4, 1, level(12), own(24, 2), own(12, 2)},
                                         {1, 32, 2, 1, own(48, 4), own(48, 4), own(24, 3)},
                                         {1, 64, 1, 2, own(64, 8), own(64, 8), own(48, 8)},
                                         {1, 256, 1, 3, own(200, 15), own(200, 15), own(200, 15)}}};

constexpr std::size_t kSmall = 1 << 16;  // pixels

void reorder(Indexed& image, std::span<const std::uint8_t> order) {
  std::array<std::uint8_t, kMaxColors> position{};
  std::vector<Rgba> palette;
  for (const std::uint8_t entry : order) {
    position[entry] = static_cast<std::uint8_t>(palette.size());
    palette.push_back(image.palette[entry]);
  }
  image.palette.swap(palette);
  for (std::uint8_t& i : image.indices) i = position[i];
}

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
  result.indices.resize(map.indices.size());
  std::transform(map.indices.begin(), map.indices.end(), result.indices.begin(),
                 [&number](std::uint8_t i) { return number[i]; });
  return result;
}

unsigned bit_depth(std::size_t colors) { return colors <= 2 ? 1 : colors <= 4 ? 2 : colors <= 16 ? 4 : 8; }

// The rows as PNG packs them, without filter bytes.
std::vector<std::uint8_t> pack(const Indexed& image, std::size_t width, std::size_t height, unsigned depth) {
  if (depth == 8) return image.indices;
  const std::size_t per_byte = 8 / depth, bytes = (width + per_byte - 1) / per_byte;
  std::vector<std::uint8_t> packed(bytes * height, 0);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const auto shift = static_cast<unsigned>(8 - depth * (x % per_byte + 1));
      packed[y * bytes + x / per_byte] |= static_cast<std::uint8_t>(image.indices[y * width + x] << shift);
    }
  }
  return packed;
}

std::size_t row_bytes(std::size_t width, unsigned depth) { return (width * depth + 7) / 8; }

// Blocks of 32 rows, one in `share`.
std::vector<std::uint8_t> some_rows(const std::vector<std::uint8_t>& packed, std::size_t bytes, std::size_t share) {
  constexpr std::size_t kBlock = 32;
  std::vector<std::uint8_t> result;
  for (std::size_t at = 0; at < packed.size(); at += kBlock * share * bytes) {
    const auto first = packed.begin() + static_cast<std::ptrdiff_t>(at);
    result.insert(result.end(), first,
                  first + static_cast<std::ptrdiff_t>(std::min(kBlock * bytes, packed.size() - at)));
  }
  return result;
}

// How an image can be written.
struct Layout {
  bool given_order;
  unsigned depth;
  Filtering filtering;
};

struct Written {
  Indexed image;
  unsigned depth;
  std::vector<std::uint8_t> stream;
};

// Chooses the layout whose trial is smallest.
Written write_rows(Indexed image, std::size_t width, std::size_t height, const Plan& plan) {
  const std::size_t n = image.palette.size();
  const unsigned least_depth = bit_depth(n);
  Indexed ordered;
  const auto rows = [&](const Layout& layout, std::size_t share) {
    const std::vector<std::uint8_t> packed = pack(layout.given_order ? image : ordered, width, height, layout.depth);
    const std::size_t bytes = row_bytes(width, layout.depth);
    return filter_rows(share == 1 ? packed : some_rows(packed, bytes, share), bytes, layout.filtering);
  };
  if (plan.tried_rows == 0 && n <= 96) {
    std::vector<std::uint8_t> stream = stream_of(rows({true, least_depth, Filtering::none}, 1), plan.unfiltered(n));
    return {std::move(image), least_depth, std::move(stream)};
  }

  // Few entries that are not opaque go first, so that tRNS stays short; many among the others are worth its bytes.
  auto first = static_cast<std::size_t>(
      std::count_if(image.palette.begin(), image.palette.end(), [](Rgba c) { return c.a != 255; }));
  if (8 * first > n) first = 0;
  const std::size_t exchanges = std::min(plan.exchanges * n * n / 4, 8 * image.indices.size());
  ordered = image;
  reorder(ordered, palette_order(Neighbors(image.indices, width, n, plan.counted_rows), first, exchanges));
  if (plan.tried_rows == 0) {
    std::vector<std::uint8_t> stream = stream_of(rows({false, least_depth, Filtering::sub}, 1), plan.filtered);
    return {std::move(ordered), least_depth, std::move(stream)};
  }

  struct Attempt {
    Layout layout;
    std::size_t size;
  };
  std::vector<Attempt> attempts;
  // Few literals are left in what repeats itself: a trial must find the matches, and is soon done.
  const std::vector<std::uint8_t> sample = rows({true, least_depth, Filtering::none}, plan.tried_rows);
  const bool repetitive = 5 * deflate(sample, 1).size() < sample.size() || image.indices.size() <= kSmall;
  const auto attempt = [&](bool given_order, unsigned depth, std::initializer_list<Filtering> filterings) {
    for (const Filtering filtering : filterings) {
      const Layout layout = {given_order, depth, filtering};
      attempts.push_back(
          {layout,
           deflate(rows(layout, repetitive ? (plan.tried_rows + 3) / 4 : plan.tried_rows), repetitive ? 6 : 1).size()});
    }
  };
  for (const unsigned depth : {least_depth, 8u}) {
    // The palette's own order too: who chose the indices may have had a file in mind.
    attempt(true, depth, {Filtering::none, Filtering::sub, Filtering::paeth});
    attempt(false, depth, {Filtering::sub, Filtering::up, Filtering::least_sum, Filtering::least_entropy});
    if (least_depth < 4 || least_depth == 8 || plan.finalists == 1) break;
  }
  const auto smaller = [](const Attempt& a, const Attempt& b) { return a.size < b.size; };
  std::stable_sort(attempts.begin(), attempts.end(), smaller);
  attempts.resize(std::min(plan.finalists, attempts.size()));
  for (Attempt& a : attempts) {
    if (attempts.size() > 1) a.size = deflate_small(rows(a.layout, 1), {16, 2}).size();
  }
  const Layout best = std::min_element(attempts.begin(), attempts.end(), smaller)->layout;
  const bool plain = best.filtering == Filtering::none || repetitive;
  std::vector<std::uint8_t> stream = stream_of(rows(best, 1), plain ? plan.unfiltered(n) : plan.filtered);
  return {best.given_order ? std::move(image) : std::move(ordered), best.depth, std::move(stream)};
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
  // What a small image costs is little whatever is tried.
  const int plan_effort = effort >= 4 && map.indices.size() <= kSmall ? std::min(effort + 1, 9) : effort;
  const Plan& plan = kPlans[static_cast<std::size_t>(plan_effort - 1)];
  const auto [image, depth, stream] = write_rows(compact(map, palette), map.width, map.height, plan);
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
