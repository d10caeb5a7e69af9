// libFuzzer: any bytes as an index map, encoded; the stream inflates to as many bytes as the header promises.
#include <libdeflate.h>

#include <cstdlib>
#include <stdexcept>

#include "png.hpp"

using namespace chromapress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  const std::size_t width = 1 + data[0], colors = 1 + std::size_t{data[1]};
  const int effort = 1 + data[2] % 9;
  if (size < 3 + 4 * colors + width) return 0;
  std::vector<Rgba> palette;
  for (std::size_t i = 0; i < colors; ++i) {
    const std::uint8_t* p = data + 3 + 4 * i;
    palette.push_back({p[0], p[1], p[2], p[3]});
  }
  const std::span<const std::uint8_t> rest(data + 3 + 4 * colors, size - 3 - 4 * colors);
  const std::size_t height = rest.size() / width;
  std::vector<std::uint8_t> file;
  try {
    file = encode_png({rest.first(width * height), width, height}, palette, effort);
  } catch (const std::invalid_argument&) {
    return 0;  // an index beyond the palette
  }
  const auto u32 = [&file](std::size_t i) {
    return (std::size_t{file[i]} << 24) | (std::size_t{file[i + 1]} << 16) | (std::size_t{file[i + 2]} << 8) |
           file[i + 3];
  };
  std::vector<std::uint8_t> raw(((width * file[24] + 7) / 8 + 1) * height);
  for (std::size_t at = 8; at < file.size(); at += 12 + u32(at)) {
    if (file[at + 4] != 'I' || file[at + 5] != 'D') continue;
    libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
    if (libdeflate_zlib_decompress(decompressor, &file[at + 8], u32(at), raw.data(), raw.size(), nullptr) !=
        LIBDEFLATE_SUCCESS) {
      std::abort();
    }
    libdeflate_free_decompressor(decompressor);
  }
  return 0;
}
