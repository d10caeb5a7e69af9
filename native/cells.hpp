// The cube of opaque sRGB colours cut into 32^3 cells of 8^3 colours: tables by cell stay small where colours gather.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "color.hpp"
#include "dispatch.hpp"

namespace chromapress {

inline constexpr std::size_t kCells = 32768;
inline constexpr std::size_t kCellColors = 512;

/// The number of a cell (15 bits), then that of the colour in it (9 bits).
constexpr std::uint32_t place_of(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
  return ((r >> 3) << 19) | ((g >> 3) << 14) | ((b >> 3) << 9) | ((r & 7) << 6) | ((g & 7) << 3) | (b & 7);
}

constexpr Rgba color_at(std::uint32_t place) {
  const auto channel = [place](unsigned cell, unsigned color) {
    return static_cast<std::uint8_t>(((place >> cell & 31u) << 3) | (place >> color & 7u));
  };
  return {channel(19, 6), channel(14, 3), channel(9, 0), 255};
}

inline constexpr std::size_t kPlacesTogether = 64;
using Places = std::array<std::uint32_t, kPlacesTogether>;

inline constexpr std::size_t kBytesReadTogether = 3 * kPlacesTogether + 4;

/// The places of pixels of three channels; reads kBytesReadTogether bytes.
void find_places(const std::uint8_t* rgb, Places& places);

/// visit(place, pixel) for each pixel of three channels, in their order.
template <typename Visit>
CHROMAPRESS_INLINE void for_each_place(std::span<const std::uint8_t> rgb, Visit visit) {
  const std::size_t pixels = rgb.size() / 3;
  Places places;
  std::size_t i = 0;
  for (; 3 * i + kBytesReadTogether <= rgb.size(); i += kPlacesTogether) {
    find_places(&rgb[3 * i], places);
    for (std::size_t j = 0; j < kPlacesTogether; ++j) visit(places[j], i + j);
  }
  for (; i < pixels; ++i) visit(place_of(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]), i);
}

}  // namespace chromapress
