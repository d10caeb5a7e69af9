#include "cells.hpp"

#include <bit>

#include "dispatch.hpp"

namespace chromapress {

CHROMAPRESS_DISPATCH
void find_places(const Places& colors, Places& places) {
  static_assert(std::endian::native == std::endian::little);
  for (std::size_t j = 0; j < kPlacesTogether; ++j) {
    const std::uint32_t c = colors[j];
    places[j] = ((c & 0xf8u) << 16) | ((c & 0xf800u) << 3) | ((c & 0xf80000u) >> 10) |  //
                ((c & 0x7u) << 6) | ((c & 0x700u) >> 5) | ((c & 0x70000u) >> 16);
  }
}

}  // namespace chromapress
