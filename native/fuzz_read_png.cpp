// libFuzzer: any bytes as a file, which need not be one; and as filtered rows, which are read as the specification
// says.
#include <algorithm>

#include "decode_png.hpp"
#include "plain_png.hpp"
#include "read_png.hpp"

using namespace chromapress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostPixels = 1u << 20;
  static_cast<void>(read_png({data, size}, kMostPixels));
  if (size < 2) return 0;
  const std::size_t width = 1 + data[0] % 64, channels = 3 + data[1] % 2, row = width * channels + 1;
  const std::size_t height = (size - 2) / row;
  if (height == 0) return 0;
  std::vector<std::uint8_t> rows(data + 2, data + 2 + row * height);
  const std::vector<std::uint8_t> file = plain_png(width, height, channels, rows, 1 + data[1] % 3);
  const auto image = read_png(file, kMostPixels);
  for (std::size_t y = 0; y < height; ++y) {
    if (rows[y * row] > 4) {
      CHECK(!image);
      return 0;
    }
  }
  CHECK(image);
  unfilter(rows, height, channels);
  for (std::size_t y = 0; y < height; ++y) {
    CHECK(std::equal(&rows[y * row + 1], &rows[y * row] + row,
                     image->data.begin() + static_cast<std::ptrdiff_t>(y * (row - 1))));
  }
  return 0;
}
