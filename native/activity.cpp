#include "activity.hpp"

#include <algorithm>
#include <cmath>

namespace chromapress {

Activity::Activity(const Pixels& pixels)
    : pixels_(pixels), luma_(kRows * pixels.width), sums_(pixels.width + 1), squares_(pixels.width + 1) {
  std::vector<float> row(pixels.width);
  double total = 0;
  for (std::size_t y = 0; y < pixels.height; ++y) {
    calm(y, row);
    for (const float c : row) total += static_cast<double>(c);
  }
  scale_ = static_cast<double>(pixels.size()) / total;
}

void Activity::weights(std::size_t y, std::span<float> out) {
  calm(y, out);
  // The root of what structural similarity asks for: nearly as good by it, and as good by the squared error as none.
  for (float& c : out) c = static_cast<float>(std::sqrt(std::clamp(static_cast<double>(c) * scale_, 0.15, 6.0)));
}

void Activity::calm(std::size_t y, std::span<float> out) {
  const std::size_t w = pixels_.width, top = y < kReach ? 0 : y - kReach;
  const std::size_t bottom = std::min(pixels_.height, y + kReach + 1);
  if (y == 0) known_ = 0;
  for (; known_ < bottom; ++known_) {
    for (std::size_t x = 0; x < w; ++x) {
      const Point p = premultiply(pixels_.at(known_ * w + x));
      luma_[known_ % kRows * w + x] = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    }
  }
  std::fill(sums_.begin(), sums_.end(), 0.0);
  std::fill(squares_.begin(), squares_.end(), 0.0);
  for (std::size_t row = top; row < bottom; ++row) {
    const double* luma = &luma_[row % kRows * w];
    for (std::size_t x = 0; x < w; ++x) {
      sums_[x + 1] += luma[x];
      squares_[x + 1] += luma[x] * luma[x];
    }
  }
  for (std::size_t x = 0; x < w; ++x) {
    sums_[x + 1] += sums_[x];
    squares_[x + 1] += squares_[x];
  }
  for (std::size_t x = 0; x < w; ++x) {
    const std::size_t left = x < kReach ? 0 : x - kReach, right = std::min(w, x + kReach + 1);
    const auto n = static_cast<double>((right - left) * (bottom - top));
    const double mean = (sums_[right] - sums_[left]) / n;
    const double variance = std::max(0.0, (squares_[right] - squares_[left]) / n - mean * mean);
    constexpr double kC2 = 58.5;  // (0.03 * 255)^2
    out[x] = static_cast<float>(1.0 / (2.0 * variance + kC2));
  }
}

}  // namespace chromapress
