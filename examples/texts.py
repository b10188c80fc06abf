"""The verses on the sample pages: Vietnamese works whose authors died before 1900, so free for everyone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """One work: its Vietnamese title and author, and the lines of each page."""

    title: str
    author: str
    pages: tuple[tuple[str, ...], ...]


KIEU = Work(
    "Truyện Kiều",
    "Nguyễn Du",
    (
        (
            "Trăm năm trong cõi người ta,",
            "Chữ tài chữ mệnh khéo là ghét nhau.",
            "Trải qua một cuộc bể dâu,",
            "Những điều trông thấy mà đau đớn lòng.",
            "Lạ gì bỉ sắc tư phong,",
            "Trời xanh quen thói má hồng đánh ghen.",
            "Cảo thơm lần giở trước đèn,",
            "Phong tình cổ lục còn truyền sử xanh.",
        ),
        (
            "Rằng: Năm Gia Tĩnh triều Minh,",
            "Bốn phương phẳng lặng, hai kinh vững vàng.",
            "Có nhà viên ngoại họ Vương,",
            "Gia tư nghĩ cũng thường thường bực trung.",
            "Một trai con thứ rốt lòng,",
            "Vương Quan là chữ, nối dòng nho gia.",
            "Đầu lòng hai ả tố nga,",
            "Thúy Kiều là chị, em là Thúy Vân.",
        ),
        (
            "Mai cốt cách, tuyết tinh thần,",
            "Mỗi người một vẻ, mười phân vẹn mười.",
            "Vân xem trang trọng khác vời,",
            "Khuôn trăng đầy đặn, nét ngài nở nang.",
            "Hoa cười ngọc thốt đoan trang,",
            "Mây thua nước tóc, tuyết nhường màu da.",
            "Kiều càng sắc sảo, mặn mà,",
            "So bề tài, sắc, lại là phần hơn.",
        ),
        (
            "Làn thu thủy, nét xuân sơn,",
            "Hoa ghen thua thắm, liễu hờn kém xanh.",
            "Một hai nghiêng nước nghiêng thành,",
            "Sắc đành đòi một, tài đành họa hai.",
            "Thông minh vốn sẵn tư trời,",
            "Pha nghề thi họa, đủ mùi ca ngâm.",
            "Cung thương làu bậc ngũ âm,",
            "Nghề riêng ăn đứt hồ cầm một trương.",
        ),
    ),
)

LUC_VAN_TIEN = Work(
    "Lục Vân Tiên",
    "Nguyễn Đình Chiểu",
    (
        (
            "Trước đèn xem chuyện Tây Minh,",
            "Gẫm cười hai chữ nhân tình éo le.",
            "Hỡi ai lẳng lặng mà nghe,",
            "Dữ răn việc trước, lành dè thân sau.",
        ),
        (
            "Trai thời trung hiếu làm đầu,",
            "Gái thời tiết hạnh là câu trau mình.",
            "Có người ở quận Đông Thành,",
            "Tu nhân tích đức sớm sanh con hiền.",
        ),
        (
            "Đặt tên là Lục Vân Tiên,",
            "Tuổi vừa hai tám, nghề chuyên học hành.",
            "Theo thầy nấu sử sôi kinh,",
            "Tháng ngày bao quản sân Trình lao đao.",
        ),
    ),
)

BANH_TROI_NUOC = Work(
    "Bánh trôi nước",
    "Hồ Xuân Hương",
    (
        (
            "Thân em vừa trắng lại vừa tròn,",
            "Bảy nổi ba chìm với nước non.",
        ),
        (
            "Rắn nát mặc dầu tay kẻ nặn,",
            "Mà em vẫn giữ tấm lòng son.",
        ),
    ),
)

CHINH_PHU_NGAM = Work(
    "Chinh phụ ngâm khúc",
    "Đặng Trần Côn; Đoàn Thị Điểm",
    (
        (
            "Thuở trời đất nổi cơn gió bụi,",
            "Khách má hồng nhiều nỗi truân chuyên.",
            "Xanh kia thăm thẳm tầng trên,",
            "Vì ai gây dựng cho nên nỗi này?",
        ),
        (
            "Trống Trường Thành lung lay bóng nguyệt,",
            "Khói Cam Tuyền mờ mịt thức mây.",
            "Chín tầng gươm báu trao tay,",
            "Nửa đêm truyền hịch định ngày xuất chinh.",
        ),
    ),
)

QUA_DEO_NGANG = Work(
    "Qua Đèo Ngang",
    "Bà Huyện Thanh Quan",
    (
        (
            "Bước tới Đèo Ngang, bóng xế tà,",
            "Cỏ cây chen đá, lá chen hoa.",
            "Lom khom dưới núi, tiều vài chú,",
            "Lác đác bên sông, chợ mấy nhà.",
        ),
        (
            "Nhớ nước đau lòng, con quốc quốc,",
            "Thương nhà mỏi miệng, cái gia gia.",
            "Dừng chân đứng lại, trời, non, nước,",
            "Một mảnh tình riêng, ta với ta.",
        ),
    ),
)
