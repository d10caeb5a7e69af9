#include "color.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace chromapress {
namespace {

// The real root of x >= 0 by Newton's method. The mathematics library's pow and cbrt differ in the last bit between
// processors; this uses only operations that IEEE 754 defines exactly.
template <int N>
double root(double x) {
  if (x < 1e-30) return 0.0;
  constexpr std::uint64_t one = std::bit_cast<std::uint64_t>(1.0);
  double y = std::bit_cast<double>(one - one / N + std::bit_cast<std::uint64_t>(x) / N);
  for (int i = 0; i < 5; ++i) {
    double power = 1.0;
    for (int j = 1; j < N; ++j) power *= y;
    y -= (y - x / power) / N;
  }
  return y;
}

// The transfer functions of IEC 61966-2-1, on 0 to 1.
double srgb_to_linear(double v) {
  if (v <= 0.04045) return v / 12.92;
  const double base = (v + 0.055) / 1.055;
  return base * base * root<5>(base * base);  // base^2.4
}

double linear_to_srgb(double v) {
  if (v <= 0.0031308) return v * 12.92;
  const double cube_root = root<3>(v);
  return 1.055 * cube_root * std::sqrt(std::sqrt(cube_root)) - 0.055;  // v^(1/2.4) = v^(1/3) * v^(1/12)
}

std::uint8_t to_level(double v) { return static_cast<std::uint8_t>(std::clamp(std::floor(v + 0.5), 0.0, 255.0)); }

}  // namespace

Kind kind_of(const Point& p) {
  if (p[3] <= 0.0) return Kind::transparent;
  return p[3] >= 255.0 ? Kind::opaque : Kind::translucent;
}

Rgba to_straight(const Point& p) {
  const Kind kind = kind_of(p);
  if (kind == Kind::transparent) return {0, 0, 0, 0};
  // Rounding must not change the kind.
  const double a = kind == Kind::opaque ? 255.0 : std::clamp(std::floor(p[3] + 0.5), 1.0, 254.0);
  const double scale = 255.0 / a;
  return {to_level(p[0] * scale), to_level(p[1] * scale), to_level(p[2] * scale), static_cast<std::uint8_t>(a)};
}

Point to_space(const Point& p, ColorSpace space) {
  if (space == ColorSpace::srgb || p[3] <= 0.0) return p;
  const double r = srgb_to_linear(std::min(p[0] / p[3], 1.0));
  const double g = srgb_to_linear(std::min(p[1] / p[3], 1.0));
  const double b = srgb_to_linear(std::min(p[2] / p[3], 1.0));
  const double l = root<3>(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = root<3>(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = root<3>(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {(0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s) * p[3],
          (1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s) * p[3],
          (0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s) * p[3], p[3]};
}

Point from_space(const Point& p, ColorSpace space) {
  if (space == ColorSpace::srgb || p[3] <= 0.0) return p;
  const double L = p[0] / p[3], A = p[1] / p[3], B = p[2] / p[3];
  const auto cube = [](double v) { return v * v * v; };
  const double l = cube(L + 0.3963377774 * A + 0.2158037573 * B);
  const double m = cube(L - 0.1055613458 * A - 0.0638541728 * B);
  const double s = cube(L - 0.0894841775 * A - 1.2914855480 * B);
  const auto channel = [&](double linear) {
    return std::clamp(linear_to_srgb(std::clamp(linear, 0.0, 1.0)), 0.0, 1.0) * p[3];
  };
  return {channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          channel(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s), p[3]};
}

}  // namespace chromapress
