#include "cells.hpp"

#include <bit>
#include <cstring>

namespace chromapress {

CHROMAPRESS_DISPATCH
void find_places(const std::uint8_t* rgb, Places& places) {
  static_assert(std::endian::native == std::endian::little);
  using Bytes = std::uint8_t __attribute__((vector_size(16)));
  constexpr std::size_t kStep = 4;
  static_assert(kBytesReadTogether == 3 * (kPlacesTogether - kStep) + sizeof(Bytes));
  // Four bytes a pixel, of which the fourth does not matter.
  Places colors;
  for (std::size_t j = 0; j < kPlacesTogether; j += kStep) {
    Bytes pixels;
    std::memcpy(&pixels, rgb + 3 * j, sizeof pixels);
    pixels = __builtin_shufflevector(pixels, pixels, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
    std::memcpy(&colors[j], &pixels, sizeof pixels);
  }
  for (std::size_t j = 0; j < kPlacesTogether; ++j) {
    const std::uint32_t c = colors[j];
    places[j] = ((c & 0xf8u) << 16) | ((c & 0xf800u) << 3) | ((c & 0xf80000u) >> 10) |  //
                ((c & 0x7u) << 6) | ((c & 0x700u) >> 5) | ((c & 0x70000u) >> 16);
  }
}

}  // namespace chromapress
