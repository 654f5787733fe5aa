"""Headers of users' files: what other systems call our fields, and which columns take no part."""

from __future__ import annotations

from typing import Final

PASSIVE: Final = frozenset(
    # the store's own numbers, and what follows from other fields
    {"id", "version", "updated_at", "age", "active", "cause", "masked", "notes", "outcome", "dry_run", "changes"}
    | {"change_id"}
    # what a report adds to the columns of its file
    | {"line", "code", "message"}
    # domains of their own: credentials, access, standing
    | {"password", "passwd", "password_hash", "user_pass", "user_password", "encrypted_password", "salt"}
    | {"role", "roles", "user_role", "user_roles", "group", "groups", "permissions", "is_staff", "is_superuser"}
    | {"points", "credit", "credit_score", "credit_level", "level", "tier", "balance", "organisation"}
    | {"organization", "department", "last_login", "last_login_at", "user_activation_key", "user_url"}
    | {"密码", "角色", "用户组", "权限", "积分", "信用评分", "信用等级", "用户等级", "等级", "部门", "最近登录时间"}
)
"""Columns that are known and ignored."""

GUESSES: Final = {
    "user": "username",
    "user_name": "username",
    "user_login": "username",
    "login": "username",
    "login_name": "username",
    "account": "username",
    "preferred_username": "username",
    "screen_name": "username",
    "用户名": "username",
    "账号": "username",
    "帐号": "username",
    "登录名": "username",
    "user_email": "email",
    "mail": "email",
    "e_mail": "email",
    "email_address": "email",
    "邮箱": "email",
    "电子邮箱": "email",
    "电子邮件": "email",
    "邮箱地址": "email",
    "mobile": "phone",
    "mobile_phone": "phone",
    "mobile_number": "phone",
    "phone_number": "phone",
    "telephone": "phone",
    "tel": "phone",
    "cell": "phone",
    "手机": "phone",
    "手机号": "phone",
    "手机号码": "phone",
    "电话": "phone",
    "联系电话": "phone",
    "nickname": "display_name",
    "nick": "display_name",
    "user_nicename": "display_name",
    "displayname": "display_name",
    "昵称": "display_name",
    "显示名": "display_name",
    "name": "full_name",
    "real_name": "full_name",
    "fullname": "full_name",
    "cn": "full_name",
    "姓名": "full_name",
    "真实姓名": "full_name",
    "sex": "gender",
    "性别": "gender",
    "birthday": "birth_date",
    "birthdate": "birth_date",
    "date_of_birth": "birth_date",
    "dob": "birth_date",
    "出生日期": "birth_date",
    "生日": "birth_date",
    "job": "occupation",
    "job_title": "occupation",
    "profession": "occupation",
    "职业": "occupation",
    "language": "locale",
    "lang": "locale",
    "语言": "locale",
    "timezone": "time_zone",
    "tz": "time_zone",
    "时区": "time_zone",
    "account_status": "status",
    "状态": "status",
    "user_registered": "created_at",
    "registered_at": "created_at",
    "date_joined": "created_at",
    "created": "created_at",
    "create_time": "created_at",
    "注册时间": "created_at",
    "创建时间": "created_at",
    "uuid": "uid",
    "labels": "tags",
    "标签": "tags",
    "expires_at": "valid_until",
    "有效期至": "valid_until",
    "external_id": "external_ids",
    "外部编号": "external_ids",
}
"""Headers of common systems -> field; a guess is always told."""
