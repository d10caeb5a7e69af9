#include "read_png.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <string_view>

#include "dispatch.hpp"
#include "unset_vector.hpp"

namespace chromapress {
namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
// A length, a type, and behind the data a sum.
constexpr std::size_t kAroundChunk = 12;
constexpr std::size_t kHeaderSize = 13;
// Chunks that do not change what Pillow makes of the samples. Text may: an orientation can be hidden in it.
constexpr std::array<std::string_view, 7> kHarmless = {"gAMA", "cHRM", "sRGB", "pHYs", "tIME", "bKGD", "sBIT"};

std::uint32_t u32(const std::uint8_t* p) {
  return (std::uint32_t{p[0]} << 24) | (std::uint32_t{p[1]} << 16) | (std::uint32_t{p[2]} << 8) | p[3];
}

struct Chunk {
  std::string_view type;
  std::span<const std::uint8_t> data;
};

// The chunk that the bytes begin with, if it is whole and undamaged; takes it off them.
std::optional<Chunk> next_chunk(std::span<const std::uint8_t>& bytes) {
  if (bytes.size() < kAroundChunk) return {};
  const std::size_t size = u32(bytes.data());
  if (size > bytes.size() - kAroundChunk) return {};
  const std::uint8_t* type = bytes.data() + 4;
  if (libdeflate_crc32(0, type, size + 4) != u32(type + 4 + size)) return {};
  const Chunk chunk{{reinterpret_cast<const char*>(type), 4}, bytes.subspan(8, size)};
  bytes = bytes.subspan(size + kAroundChunk);
  return chunk;
}

bool is_harmless(const Chunk& chunk) {
  if (chunk.type == "tEXt") {
    const std::string_view text(reinterpret_cast<const char*>(chunk.data.data()), chunk.data.size());
    return !text.starts_with("Raw profile") && !text.starts_with("XML:");
  }
  return std::find(kHarmless.begin(), kHarmless.end(), chunk.type) != kHarmless.end();
}

bool inflate(std::span<const std::uint8_t> stream, std::span<std::uint8_t> to) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!decompressor) return false;
  std::size_t size = 0;
  return libdeflate_zlib_decompress(decompressor.get(), stream.data(), stream.size(), to.data(), to.size(), &size) ==
             LIBDEFLATE_SUCCESS &&
         size == to.size();
}

CHROMAPRESS_DISPATCH
void add_up(const std::uint8_t* from, const std::uint8_t* up, std::uint8_t* to, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<std::uint8_t>(from[i] + up[i]);
}

// Calls predict(left, up) for each sample of a row, and adds. What is left of the row is 0.
template <std::size_t channels, typename Predict>
void add_prediction(const std::uint8_t* from, const std::uint8_t* up, std::uint8_t* to, std::size_t size,
                    Predict predict) {
  std::array<std::uint8_t, channels> left{};
  for (std::size_t i = 0; i < size; i += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      left[c] = static_cast<std::uint8_t>(from[i + c] + predict(left[c], up[i + c]));
      to[i + c] = left[c];
    }
  }
}

// A pixel's samples, side by side: a pixel waits for the one to its left, so that its channels are all that can be done
// at once.
using Lanes = std::int16_t __attribute__((vector_size(16)));
using Bytes = std::uint8_t __attribute__((vector_size(16)));

template <std::size_t size>
CHROMAPRESS_INLINE Lanes load(const std::uint8_t* samples) {
  Bytes bytes{};
  std::memcpy(&bytes, samples, size);
  return std::bit_cast<Lanes>(
      __builtin_shufflevector(bytes, Bytes{}, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
}

template <std::size_t size>
CHROMAPRESS_INLINE void store(Lanes lanes, std::uint8_t* samples) {
  const Bytes bytes = std::bit_cast<Bytes>(lanes);
  const Bytes low = __builtin_shufflevector(bytes, bytes, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14);
  std::memcpy(samples, &low, size);
}

CHROMAPRESS_INLINE Lanes least(Lanes a, Lanes b) { return a < b ? a : b; }

CHROMAPRESS_INLINE Lanes absolute(Lanes v) { return v < 0 ? -v : v; }

// As bytes: what goes beyond 255 does not reach the next lane's.
CHROMAPRESS_INLINE Lanes add_bytes(Lanes a, Lanes b) {
  return std::bit_cast<Lanes>(std::bit_cast<Bytes>(a) + std::bit_cast<Bytes>(b));
}

// Paeth's predictor: whichever of left, up and corner is nearest to left + up - corner, the first of equally near ones.
// Without a branch, since on photographs that is a coin's toss.
struct Paeth {
  Lanes left{}, corner{};

  CHROMAPRESS_INLINE Lanes next(Lanes sample, Lanes above) {
    const Lanes across = above - corner, down = left - corner;
    const Lanes by_left = absolute(across), by_up = absolute(down), by_corner = absolute(across + down);
    const Lanes distance = least(least(by_left, by_up), by_corner);
    left = add_bytes(sample, distance == by_left ? left : distance == by_up ? above : corner);
    corner = above;
    return left;
  }
};

CHROMAPRESS_DISPATCH
void add_paeth(const std::uint8_t* from, const std::uint8_t* up, std::uint8_t* to, std::size_t size,
               std::size_t channels) {
  Paeth paeth;
  std::size_t i = 0;
  // Four bytes at once are quicker than three: the next pixel, where there is one, overwrites the fourth.
  for (; i + 4 <= size; i += channels) store<4>(paeth.next(load<4>(from + i), load<4>(up + i)), to + i);
  if (i < size) store<3>(paeth.next(load<3>(from + i), load<3>(up + i)), to + i);
}

template <std::size_t channels>
bool unfilter(std::uint8_t filter, const std::uint8_t* from, const std::uint8_t* up, std::uint8_t* to,
              std::size_t size) {
  switch (filter) {
    case 0:
      std::memcpy(to, from, size);
      return true;
    case 1:
      add_prediction<channels>(from, up, to, size, [](int left, int) { return left; });
      return true;
    case 2:
      add_up(from, up, to, size);
      return true;
    case 3:
      add_prediction<channels>(from, up, to, size, [](int left, int above) { return (left + above) / 2; });
      return true;
    case 4:
      add_paeth(from, up, to, size, channels);
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<PngImage> read_png(std::span<const std::uint8_t> file, std::size_t max_pixels) {
  if (file.size() < kSignature.size() || std::memcmp(file.data(), kSignature.data(), kSignature.size()) != 0) return {};
  std::span<const std::uint8_t> left = file.subspan(kSignature.size());
  const std::optional<Chunk> header = next_chunk(left);
  if (!header || header->type != "IHDR" || header->data.size() != kHeaderSize) return {};
  const std::uint8_t* h = header->data.data();
  PngImage image;
  image.width = u32(h);
  image.height = u32(h + 4);
  const std::uint8_t depth = h[8], color_type = h[9], compression = h[10], filtering = h[11], interlacing = h[12];
  if (depth != 8 || (color_type != 2 && color_type != 6) || compression + filtering + interlacing != 0) return {};
  if (image.width == 0 || image.height == 0 || image.width > max_pixels / image.height) return {};
  image.channels = color_type == 2 ? 3 : 4;

  std::vector<std::uint8_t> joined;
  std::span<const std::uint8_t> stream;
  for (;;) {
    const std::optional<Chunk> chunk = next_chunk(left);
    if (!chunk) return {};
    if (chunk->type == "IEND") break;
    if (chunk->type == "IDAT") {
      if (stream.empty()) {
        stream = chunk->data;
        continue;
      }
      if (joined.empty()) joined.assign(stream.begin(), stream.end());
      joined.insert(joined.end(), chunk->data.begin(), chunk->data.end());
      stream = joined;
    } else if (!is_harmless(*chunk)) {
      return {};
    }
  }

  const std::size_t row = image.width * image.channels;
  UnsetVector<std::uint8_t> filtered((row + 1) * image.height);
  if (stream.empty() || !inflate(stream, filtered)) return {};
  image.data.resize(row * image.height);
  const std::vector<std::uint8_t> above_first(row);
  const std::uint8_t* up = above_first.data();
  for (std::size_t y = 0; y < image.height; ++y) {
    const std::uint8_t* from = filtered.data() + y * (row + 1);
    std::uint8_t* to = image.data.data() + y * row;
    const bool known =
        image.channels == 3 ? unfilter<3>(from[0], from + 1, up, to, row) : unfilter<4>(from[0], from + 1, up, to, row);
    if (!known) return {};
    up = to;
  }
  return image;
}

}  // namespace chromapress
