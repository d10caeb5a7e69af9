// Colours, their kinds, and the spaces in which their distances are measured.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

namespace chromapress {

/// The most entries that an indexed PNG can have.
inline constexpr std::size_t kMaxColors = 256;

/// A straight-alpha 8-bit sRGB colour. Ordered lexicographically.
struct Rgba {
  std::uint8_t r, g, b, a;
  friend auto operator<=>(const Rgba&, const Rgba&) = default;
};
static_assert(sizeof(Rgba) == 4 && alignof(Rgba) == 1);

enum class Kind : std::uint8_t { transparent, translucent, opaque };
inline constexpr std::size_t kKinds = 3;

/// No mapping makes a transparent pixel visible or an opaque one translucent; a translucent one may become either.
constexpr bool may_become(Kind kind, Kind entry) { return kind == entry || kind == Kind::translucent; }

constexpr Kind kind_of(Rgba c) { return c.a == 0 ? Kind::transparent : c.a == 255 ? Kind::opaque : Kind::translucent; }

/// The colour as a number whose order is the lexicographic one.
constexpr std::uint32_t key_of(Rgba c) {
  return (std::uint32_t{c.r} << 24) | (std::uint32_t{c.g} << 16) | (std::uint32_t{c.b} << 8) | c.a;
}
constexpr Rgba from_key(std::uint32_t key) {
  return {static_cast<std::uint8_t>(key >> 24), static_cast<std::uint8_t>(key >> 16),
          static_cast<std::uint8_t>(key >> 8), static_cast<std::uint8_t>(key)};
}

/// A point of the clustering space (premultiplied sRGB levels and alpha, each 0 to 255), or of a space made from it.
using Point = std::array<double, 4>;

/// Where distances are measured. Oklab (Ottosson 2020) is scaled by 255 and multiplied by the alpha like sRGB.
enum class ColorSpace : std::uint8_t { srgb, oklab };

/// The clustering-space point of a colour. Every fully transparent colour is the origin.
inline Point premultiply(Rgba c) {
  const double a = c.a;
  if (c.a == 255) return {static_cast<double>(c.r), static_cast<double>(c.g), static_cast<double>(c.b), a};
  return {c.r * a / 255.0, c.g * a / 255.0, c.b * a / 255.0, a};
}

/// The colour nearest to a clustering-space point.
Rgba to_straight(const Point& p);

/// The kind of a clustering-space point.
Kind kind_of(const Point& p);

/// From the clustering space to `space` and back. Going back clips to the sRGB gamut.
Point to_space(const Point& p, ColorSpace space);
Point from_space(const Point& p, ColorSpace space);

constexpr double squared_distance(const Point& a, const Point& b) {
  const double d0 = a[0] - b[0], d1 = a[1] - b[1], d2 = a[2] - b[2], d3 = a[3] - b[3];
  return d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3;
}

}  // namespace chromapress
