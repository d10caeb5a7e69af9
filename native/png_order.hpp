// Orders of a palette among which an indexed PNG's is chosen.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"

namespace chromapress {

/// Indices into a palette without equal or unused entries, those that are not opaque first.
struct Indexed {
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> indices;
};

enum class Order : std::uint8_t {
  given,        ///< who chose the indices may have had a file in mind
  chained,      ///< by neighbours
  two_parts,    ///< the same, but entries that are not opaque go first, so that tRNS stays short
  lightness,    ///< by alpha, then by lightness: good for icons, whose pixels are too few to count neighbours
  alternating,  ///< light entries between dark ones: libdeflate tells small literals apart by their lowest bit, and
                ///< ends blocks where the shares of those kinds change
  edge,         ///< as given, but the most frequent at the left and right edge goes first: runs go on through row ends,
                ///< since the filter byte between unfiltered rows is 0 as well
};
inline constexpr std::array<Order, 6> kOrders = {Order::given,     Order::chained,     Order::two_parts,
                                                 Order::lightness, Order::alternating, Order::edge};

/// The entries in an order. For chains, one row in `step` is counted, and so many exchanges are tried.
std::vector<std::uint8_t> entries_in(Order order, const Indexed& image, std::size_t width, std::size_t step,
                                     std::size_t exchanges);

/// The same image; order[position] = entry.
Indexed reordered(const Indexed& image, std::span<const std::uint8_t> order);

/// The bytes of tRNS: alphas up to the last that is not opaque.
std::size_t alpha_bytes(std::span<const Rgba> palette);

}  // namespace chromapress
